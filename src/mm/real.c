/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real mm_ops: its life, and the acts that are a single call.
 */
#include "mm/internal.h"

#include <stdlib.h>
#include <sys/statvfs.h>

static bool mm_op_has(void *context, enum mm_interface_id interface)
{
	return mm_has(context, interface);
}

static int mm_op_mapper_collapse(void *context, const struct mm_mapper *mapper,
				 uint64_t addr, uint32_t nr)
{
	struct mm *mm = context;
	struct mm_inside inside;
	int ret;

	if (!mm_has(mm, MM_PROCESS_COLLAPSE))
		return -EOPNOTSUPP;
	ret = mm_guard_enter(&mm->guard, &inside, mapper->pid, false);
	if (ret)
		return ret;
	ret = mm_sys_process_madvise(mapper->pidfd, addr,
				     nr * HUGETMPFS_EXTENT_BYTES, MADV_COLLAPSE);
	mm_guard_leave(&mm->guard, &inside);
	return ret;
}

static int mm_op_free_bytes(void *context, int fd, uint64_t *bytes)
{
	struct statvfs st;

	(void) context;
	if (fstatvfs(fd, &st))
		return -errno;
	/* tmpfs without a limit on blocks says 0 of 0 */
	*bytes = st.f_blocks ? (uint64_t) st.f_bfree * st.f_bsize : UINT64_MAX;
	return 0;
}

int mm_open(struct mm **out, unsigned without)
{
	struct mm *mm = calloc(1, sizeof(*mm));
	int ret;

	if (!mm)
		return -ENOMEM;
	mm->ops = (struct mm_ops){
		.context = mm,
		.has = mm_op_has,
		.window_open = mm_window_open,
		.window_close = mm_window_close,
		.window_attach = mm_window_attach,
		.window_detach = mm_window_detach,
		.look = mm_look,
		.has_data = mm_has_data,
		.willneed = mm_willneed,
		.populate = mm_populate,
		.collapse = mm_collapse,
		.owner = mm_owner,
		.mapper_group = mm_mapper_group,
		.migrate = mm_move,
		.migrate_ahead = mm_move_ahead,
		.nodes_several = mm_nodes_several,
		.nodes_allowed = mm_nodes_allowed,
		.mapper_nodes = mm_mapper_nodes,
		.nodes_present = mm_nodes_present_op,
		.node_distances = mm_node_distances,
		.node_room = mm_node_room,
		.place = mm_place,
		.busy = mm_busy,
		.denied = mm_denied,
		.pressure = mm_pressure,
		.free_blocks = mm_free_blocks,
		.compact = mm_compact,
		.room = mm_room,
		.free_bytes = mm_op_free_bytes,
		.mappers_find = mm_mappers_find,
		.mappers_free = mm_mappers_free,
		.mapper_view = mm_mapper_view,
		.mapper_collapse = mm_op_mapper_collapse,
		.mapper_migrate = mm_mapper_move,
		.watch_open = mm_watch_open,
		.watch_close = mm_watch_close,
		.watch_list = mm_watch_list,
		.watch_look = mm_watch_look,
		.machine = mm_machine,
	};
	mm->without = without;
	mm_guard_open(&mm->guard);
	pthread_mutex_init(&mm->probe_lock, NULL);
	mm->kpageflags_fd = -1;
	mm->kpagecgroup_fd = -1;
	mm_machine_open(mm);
	mm->pagemap_fd = mm_sys_open("/proc/self/pagemap", O_RDONLY);
	if (mm->pagemap_fd < 0) {
		ret = mm->pagemap_fd;
		mm_close(mm);
		return ret;
	}
	*out = mm;
	return 0;
}

void mm_close(struct mm *mm)
{
	if (!mm)
		return;
	if (mm->charge)
		charge_close(mm->charge);
	if (mm->kpagecgroup_fd >= 0)
		close(mm->kpagecgroup_fd);
	if (mm->kpageflags_fd >= 0)
		close(mm->kpageflags_fd);
	if (mm->pagemap_fd >= 0)
		close(mm->pagemap_fd);
	if (mm->vmstat_fd >= 0)
		close(mm->vmstat_fd);
	if (mm->pressure_fd >= 0)
		close(mm->pressure_fd);
	pthread_mutex_destroy(&mm->probe_lock);
	mm_guard_close(&mm->guard);
	free(mm);
}

void mm_set_second(struct mm *mm, pid_t pid)
{
	mm->second = pid;
}

struct charge *mm_charge(struct mm *mm)
{
	return mm_has(mm, MM_MEMORY_CGROUPS) ? mm->charge : NULL;
}

const struct mm_ops *mm_real_ops(const struct mm *mm)
{
	return &mm->ops;
}

const struct mm_interface *mm_interfaces(struct mm *mm)
{
	mm_probe(mm);
	return mm->interfaces;
}
