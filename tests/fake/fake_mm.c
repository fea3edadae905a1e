/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model of a kernel behind struct mm_ops.
 */
#include "fake/fake_mm.h"
#include "fake/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Runs the hook, takes the lock and gives the error of the script, if any. */
int fake_enter(struct fake_mm *fake, enum fake_op op, uint64_t index)
{
	struct fake_error *error;

	if (fake->hook)
		fake->hook(fake->hook_arg, op, index);
	pthread_mutex_lock(&fake->lock);
	fake->called[op]++;
	for (unsigned i = 0; i < fake->nr_script; i++) {
		error = &fake->script[i];
		if (error->op != op || !error->times ||
		    (error->index != FAKE_ANY && error->index != index))
			continue;
		if (error->after) {
			error->after--;
			continue;
		}
		error->times--;
		return error->error;
	}
	return 0;
}

int fake_leave(struct fake_mm *fake, int ret)
{
	pthread_mutex_unlock(&fake->lock);
	return ret;
}

static bool fake_has(void *context, enum mm_interface_id interface)
{
	struct fake_mm *fake = context;

	return !(fake->absent & 1u << interface);
}

static int fake_window_open(void *context, uint32_t nr, struct mm_window **out)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_WINDOW_OPEN, 0);

	if (!ret) {
		*out = calloc(1, sizeof(**out));
		ret = *out ? 0 : -ENOMEM;
	}
	if (!ret) {
		(*out)->capacity = nr;
		fake->windows++;
	}
	return fake_leave(fake, ret);
}

static void fake_window_close(void *context, struct mm_window *window)
{
	struct fake_mm *fake = context;

	pthread_mutex_lock(&fake->lock);
	fake->windows--;
	pthread_mutex_unlock(&fake->lock);
	free(window);
}

static void fake_window_attach(void *context, struct mm_window *window, int fd,
			       uint64_t first, uint32_t nr)
{
	(void) context;
	assert(fd >= 0 && nr <= window->capacity);
	window->first = first;
	window->nr = nr;
}

static void fake_window_detach(void *context, struct mm_window *window)
{
	(void) context;
	window->nr = 0;
}

void fake_window_check(const struct mm_window *window, uint64_t index)
{
	assert(index >= window->first && index < window->first + window->nr);
}

static int fake_look(void *context, struct mm_window *window, uint64_t first,
		     uint32_t nr, const enum mm_known *known,
		     struct mm_extent *extents, uint64_t *size_bytes)
{
	struct fake_mm *fake = context;
	const struct fake_extent *from;
	int ret = fake_enter(fake, FAKE_LOOK, first);

	fake_window_check(window, first);
	fake_window_check(window, first + nr - 1);
	if (ret)
		return fake_leave(fake, ret);
	*size_bytes = fake->nr * HUGETMPFS_EXTENT_BYTES;
	for (ret = 0; (uint32_t) ret < nr && first + ret < fake->nr; ret++) {
		from = &fake->extents[first + ret];
		extents[ret] = (struct mm_extent){
			.pages = from->pages,
			.resident = from->resident,
			.swapped = from->swapped,
			.above = from->above,
			.huge = from->huge,
		};
		/* even if it has changed since */
		if (known && known[ret] != MM_KNOWN_NOTHING) {
			extents[ret].resident = HUGETMPFS_EXTENT_PAGES;
			extents[ret].swapped = 0;
			extents[ret].huge |= known[ret] == MM_KNOWN_HUGE;
		}
		fake_nodes_show(from, &extents[ret]);
	}
	return fake_leave(fake, ret);
}

static bool fake_has_data(void *context, struct mm_window *window,
			  uint64_t first, uint32_t nr)
{
	const struct fake_extent *extent;
	struct fake_mm *fake = context;
	bool has = false;

	fake_window_check(window, first);
	fake_window_check(window, first + nr - 1);
	pthread_mutex_lock(&fake->lock);
	for (; nr > 0 && first < fake->nr; nr--, first++) {
		extent = &fake->extents[first];
		has |= extent->resident || extent->swapped;
	}
	pthread_mutex_unlock(&fake->lock);
	return has;
}

static void fake_willneed(void *context, struct mm_window *window,
			  const uint64_t *indexes, uint32_t nr)
{
	struct fake_mm *fake = context;

	for (uint32_t i = 0; i < nr; i++)
		fake_window_check(window, indexes[i]);
	fake_enter(fake, FAKE_WILLNEED, indexes[0]);
	fake_leave(fake, 0);
}

static int fake_populate(void *context, struct mm_window *window,
			 uint64_t index)
{
	struct fake_mm *fake = context;
	struct fake_extent *extent = &fake->extents[index];
	int ret = fake_enter(fake, FAKE_POPULATE, index);

	fake_window_check(window, index);
	if (ret)
		return fake_leave(fake, ret);
	if (index >= fake->nr)
		return fake_leave(fake, -EFAULT);
	fake->room -= extent->swapped * UINT64_C(4096);
	extent->resident += extent->swapped;
	extent->swapped = 0;
	return fake_leave(fake, 0);
}

/* The lock is held. Small entries of all mappers go away, as in the kernel. */
static int fake_collapse_locked(struct fake_mm *fake, uint64_t index,
				uint64_t group)
{
	struct fake_extent *extent = &fake->extents[index];
	int ret;

	if (index >= fake->nr || extent->resident + extent->swapped == 0)
		return -EINVAL;
	if (extent->huge)
		return 0;
	if (extent->pinned)
		return -EAGAIN;
	ret = fake_nodes_collapse_locked(fake, extent);
	if (ret)
		return ret;
	extent->resident = extent->pages;
	extent->swapped = 0;
	extent->huge = true;
	extent->owner = group;
	extent->collapsed++;
	for (int i = 0; i < FAKE_MAPPERS; i++)
		fake->mappers[i].by_pte[index] = false;
	return 0;
}

/* Whether a call for nr extents gets to them. */
static bool fake_gets_to(struct fake_mm *fake, uint32_t nr)
{
	bool gets_to;

	pthread_mutex_lock(&fake->lock);
	gets_to = nr == 1 || fake->together;
	fake->calls_together += gets_to && nr > 1;
	pthread_mutex_unlock(&fake->lock);
	return gets_to;
}

static int fake_collapse(void *context, struct mm_window *window,
			 uint64_t index, uint32_t nr, uint64_t group)
{
	struct fake_mm *fake = context;
	int ret = 0, error;

	if (!fake_gets_to(fake, nr))
		return -EAGAIN;
	for (; nr > 0; nr--, index++) {
		error = fake_enter(fake, FAKE_COLLAPSE, index);
		fake_window_check(window, index);
		if (!error)
			error = fake_collapse_locked(fake, index, group);
		fake_leave(fake, 0);
		ret = error ? error : ret;
	}
	return ret;
}

static uint64_t fake_owner(void *context, struct mm_window *window,
			   uint64_t index, bool whole)
{
	struct fake_mm *fake = context;
	uint64_t owner;

	fake_window_check(window, index);
	fake_enter(fake, FAKE_OWNER, index);
	/* the engine must not have pages made where there are holes */
	assert(!whole || fake->extents[index].lost ||
	       fake->extents[index].resident == HUGETMPFS_EXTENT_PAGES);
	owner = fake->extents[index].owner;
	fake_leave(fake, 0);
	return owner;
}

static uint64_t fake_mapper_group(void *context, const struct mm_mapper *mapper)
{
	struct fake_mm *fake = context;

	return fake->mappers[mapper->pid].group;
}

static enum mm_busy fake_busy(void *context, struct mm_window *window,
			      uint64_t index)
{
	struct fake_mm *fake = context;
	enum mm_busy busy = MM_BUSY_TRANSIENT;

	fake_window_check(window, index);
	fake_enter(fake, FAKE_BUSY, index);
	if (fake->absent & 1u << MM_KPAGEFLAGS)
		busy = MM_BUSY_UNKNOWN;
	else if (fake->extents[index].pinned)
		busy = MM_BUSY_PINNED;
	fake_leave(fake, 0);
	return busy;
}

static bool fake_denied(void *context)
{
	struct fake_mm *fake = context;

	return fake->denied;
}

static uint64_t fake_room(void *context, uint64_t group)
{
	struct fake_mm *fake = context;
	uint64_t room;

	(void) group;
	pthread_mutex_lock(&fake->lock);
	room = fake->room;
	pthread_mutex_unlock(&fake->lock);
	return room;
}

static int fake_pressure(void *context, struct mm_pressure *pressure)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_PRESSURE, 0);

	*pressure = fake->pressure;
	return fake_leave(fake, ret);
}

static int fake_free_blocks(void *context, uint32_t *blocks, unsigned nr_nodes)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_FREE_BLOCKS, 0);

	memset(blocks, 0, nr_nodes * sizeof(*blocks));
	blocks[0] = fake->blocks;
	return fake_leave(fake, ret);
}

static int fake_compact(void *context, int nid)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_COMPACT, 0);

	assert(nid <= 0);
	if (!ret) {
		fake->blocks += fake->compactable;
		fake->compactable = 0;
	}
	return fake_leave(fake, ret);
}

static int fake_free_bytes(void *context, int fd, uint64_t *bytes)
{
	struct fake_mm *fake = context;

	(void) fd;
	pthread_mutex_lock(&fake->lock);
	*bytes = fake->free_bytes;
	return fake_leave(fake, 0);
}

static int fake_mappers_find(void *context, dev_t dev, uint64_t ino,
			     struct mm_mappers *mappers)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_MAPPERS_FIND, 0);

	(void) dev;
	(void) ino;
	if (ret)
		return fake_leave(fake, ret);
	mappers->mapper = calloc(FAKE_MAPPERS, sizeof(*mappers->mapper));
	if (!mappers->mapper)
		return fake_leave(fake, -ENOMEM);
	mappers->nr = 0;
	for (int i = 0; i < FAKE_MAPPERS; i++) {
		if (fake->mappers[i].present)
			mappers->mapper[mappers->nr++].pid = i;
	}
	fake->mappers_found++;
	return fake_leave(fake, 0);
}

static void fake_mappers_free(void *context, struct mm_mappers *mappers)
{
	struct fake_mm *fake = context;

	if (!mappers->mapper)
		return;
	free(mappers->mapper);
	mappers->mapper = NULL;
	pthread_mutex_lock(&fake->lock);
	fake->mappers_found--;
	pthread_mutex_unlock(&fake->lock);
}

static int fake_mapper_view(void *context, const struct mm_mapper *mapper,
			    dev_t dev, uint64_t ino, uint64_t first,
			    uint32_t nr, struct mm_view *views)
{
	struct fake_mm *fake = context;
	struct fake_mapper *from = &fake->mappers[mapper->pid];
	int ret = fake_enter(fake, FAKE_MAPPER_VIEW, first);
	const struct fake_extent *extent;

	(void) dev;
	(void) ino;
	if (from->dead)
		ret = -ESRCH;
	for (uint32_t i = 0; i < nr && !ret; i++) {
		views[i] = (struct mm_view){0};
		if (from->unmapped)
			continue;
		views[i].misaligned = from->misaligned;
		if (from->misaligned)
			continue;
		views[i].addr =
			FAKE_ADDR + (first + i) * HUGETMPFS_EXTENT_BYTES;
		extent = &fake->extents[first + i];
		if (from->by_pte[first + i])
			views[i].small = extent->resident ? extent->resident : 1;
		/* tests may have broken it up since */
		views[i].by_pmd = from->by_pmd[first + i] && extent->huge;
	}
	return fake_leave(fake, ret);
}

static int fake_mapper_collapse_one(void *context,
				    const struct mm_mapper *mapper,
				    uint64_t addr)
{
	struct fake_mm *fake = context;
	struct fake_mapper *from = &fake->mappers[mapper->pid];
	uint64_t index = (addr - FAKE_ADDR) / HUGETMPFS_EXTENT_BYTES;
	bool was_huge;
	int ret = fake_enter(fake, FAKE_MAPPER_COLLAPSE, index);

	if (ret)
		return fake_leave(fake, ret);
	if (from->dead)
		return fake_leave(fake, -ESRCH);
	if (from->unmapped)
		return fake_leave(fake, -ENOMEM);
	was_huge = fake->extents[index].huge;
	ret = fake_collapse_locked(fake, index, from->group);
	if (!ret) {
		from->by_pmd[index] = true;
		from->by_pte[index] = false;
		from->collapses += !was_huge;
	}
	return fake_leave(fake, ret);
}

static int fake_mapper_collapse(void *context, const struct mm_mapper *mapper,
				uint64_t addr, uint32_t nr)
{
	int ret = 0, error;

	if (!fake_gets_to(context, nr))
		return -EAGAIN;
	for (; nr > 0; nr--, addr += HUGETMPFS_EXTENT_BYTES) {
		error = fake_mapper_collapse_one(context, mapper, addr);
		ret = error ? error : ret;
	}
	return ret;
}

static int fake_machine(void *context, struct mm_machine *machine)
{
	struct fake_mm *fake = context;
	int ret = fake_enter(fake, FAKE_MACHINE, 0);

	*machine = fake->machine;
	return fake_leave(fake, ret);
}

void fake_mm_init(struct fake_mm *fake, uint32_t nr)
{
	memset(fake, 0, sizeof(*fake));
	pthread_mutex_init(&fake->lock, NULL);
	fake->nr = nr;
	fake->free_bytes = UINT64_MAX;
	fake->blocks = UINT32_MAX;
	fake->room = UINT64_MAX / 2;
	for (uint32_t i = 0; i < nr; i++)
		fake->extents[i].pages = HUGETMPFS_EXTENT_PAGES;
	for (uint32_t i = 0; i < nr; i++)
		fake_mm_fill(fake, i);
	fake->ops = (struct mm_ops){
		.context = fake,
		.has = fake_has,
		.window_open = fake_window_open,
		.window_close = fake_window_close,
		.window_attach = fake_window_attach,
		.window_detach = fake_window_detach,
		.look = fake_look,
		.has_data = fake_has_data,
		.willneed = fake_willneed,
		.populate = fake_populate,
		.collapse = fake_collapse,
		.owner = fake_owner,
		.mapper_group = fake_mapper_group,
		.busy = fake_busy,
		.denied = fake_denied,
		.room = fake_room,
		.pressure = fake_pressure,
		.free_blocks = fake_free_blocks,
		.compact = fake_compact,
		.free_bytes = fake_free_bytes,
		.mappers_find = fake_mappers_find,
		.mappers_free = fake_mappers_free,
		.mapper_view = fake_mapper_view,
		.mapper_collapse = fake_mapper_collapse,
		.watch_open = fake_watch_open,
		.watch_close = fake_watch_close,
		.watch_list = fake_watch_list,
		.watch_look = fake_watch_look,
		.machine = fake_machine,
	};
	fake_nodes_init(fake);
}

/* Whether something of the engine's is left. */
static bool fake_mm_in_use(struct fake_mm *fake)
{
	bool in_use;

	pthread_mutex_lock(&fake->lock);
	in_use = fake->windows || fake->mappers_found || fake->watches;
	pthread_mutex_unlock(&fake->lock);
	return in_use;
}

void fake_mm_destroy(struct fake_mm *fake)
{
	const struct timespec nap = {.tv_nsec = 1000000};

	/* a thread that was left behind may hold things for a moment more */
	for (int i = 0; i < 10000 && fake_mm_in_use(fake); i++)
		nanosleep(&nap, NULL);
	assert(!fake_mm_in_use(fake));
	pthread_mutex_destroy(&fake->lock);
}

void fake_mm_set(struct fake_mm *fake, uint64_t index, uint16_t resident,
		 uint16_t swapped, bool huge)
{
	struct fake_extent *extent = &fake->extents[index];

	pthread_mutex_lock(&fake->lock);
	memset(extent->on, 0, sizeof(extent->on));
	extent->resident = resident;
	extent->swapped = swapped;
	extent->huge = huge;
	pthread_mutex_unlock(&fake->lock);
}

static void fake_mm_add_error(struct fake_mm *fake, struct fake_error error)
{
	pthread_mutex_lock(&fake->lock);
	assert(fake->nr_script < FAKE_SCRIPT);
	fake->script[fake->nr_script++] = error;
	pthread_mutex_unlock(&fake->lock);
}

void fake_mm_fail(struct fake_mm *fake, enum fake_op op, uint64_t index,
		  int error, unsigned times)
{
	fake_mm_add_error(fake,
			  (struct fake_error){op, index, error, 0, times});
}

void fake_mm_fail_after(struct fake_mm *fake, enum fake_op op, unsigned after,
			int error, unsigned times)
{
	fake_mm_add_error(fake, (struct fake_error){op, FAKE_ANY, error, after,
						    times});
}

void fake_mm_punch(struct fake_mm *fake, uint64_t index)
{
	pthread_mutex_lock(&fake->lock);
	memset(fake->extents[index].on, 0, sizeof(fake->extents[index].on));
	fake->extents[index].resident = 0;
	fake->extents[index].swapped = 0;
	fake->extents[index].huge = false;
	fake->extents[index].lost++;
	for (int i = 0; i < FAKE_MAPPERS; i++) {
		fake->mappers[i].by_pte[index] = false;
		fake->mappers[i].by_pmd[index] = false;
	}
	pthread_mutex_unlock(&fake->lock);
}

void fake_mm_fill(struct fake_mm *fake, uint64_t index)
{
	pthread_mutex_lock(&fake->lock);
	fake->extents[index].resident = fake->extents[index].pages;
	fake->extents[index].swapped = 0;
	pthread_mutex_unlock(&fake->lock);
}

unsigned fake_mm_called(struct fake_mm *fake, enum fake_op op)
{
	unsigned called;

	pthread_mutex_lock(&fake->lock);
	called = fake->called[op];
	pthread_mutex_unlock(&fake->lock);
	return called;
}
