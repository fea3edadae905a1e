/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memfd of the tables: address space is reserved once for the largest
 * size, the file is sparse and grown a chunk at a time below it.
 */
#include "namespace/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "namespace/journal.h"

#define TABLE_MAGIC "hugetmp" /* 8 bytes with its NUL */
#define TABLE_PAGE 4096
#define TABLE_CHUNK_SLOTS UINT32_C(65536)
#define TABLE_JOURNAL_AT (2 * (size_t) TABLE_PAGE)
#define TABLE_RECORDS_AT                                                       \
	(TABLE_JOURNAL_AT + JOURNAL_NR_SLOTS * sizeof(struct journal_slot))

struct table_header {
	char magic[8];
	uint32_t version;
	uint32_t record_bytes;
	uint32_t nr_counters;
	_Atomic uint32_t nr_slots; /* written after the file was grown */
	_Atomic uint32_t init_bytes; /* written after init */
	_Atomic uint64_t next_handle;
	_Atomic uint64_t highest_id;
	unsigned char init[TABLE_INIT_BYTES];
};

struct table {
	int fd;
	bool is_full; /* which was said; callers of table_grow() serialise */
	struct table_header *header; /* start of the mapping */
	_Atomic uint64_t *counters;
	struct journal_slot *journal;
	size_t nr_journal; /* slots of it that were in use when it was opened */
	struct table_record *records;
};

_Static_assert(sizeof(struct table_record) == 128,
	       "records are part of the format");
_Static_assert(sizeof(struct table_header) <= TABLE_PAGE,
	       "the header has one page");
_Static_assert(sizeof(struct journal_slot) % TABLE_PAGE == 0,
	       "slots of the journal are whole pages");
_Static_assert(TABLE_NR_COUNTERS * sizeof(uint64_t) == TABLE_PAGE,
	       "the counters fill their page");

static size_t table_bytes(uint32_t nr_slots)
{
	return TABLE_RECORDS_AT + (size_t) nr_slots * sizeof(struct table_record);
}

int table_create(void)
{
	struct table_header header = {
		.magic = TABLE_MAGIC,
		.version = TABLE_VERSION,
		.record_bytes = sizeof(struct table_record),
		.nr_counters = TABLE_NR_COUNTERS,
		.nr_slots = TABLE_CHUNK_SLOTS,
	};
	int fd = memfd_create("hugetmpfs-table", MFD_CLOEXEC);
	ssize_t n;
	int ret;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t) table_bytes(TABLE_CHUNK_SLOTS))) {
		ret = -errno;
		goto err_close;
	}
	n = pwrite(fd, &header, sizeof(header), 0);
	if (n != (ssize_t) sizeof(header)) {
		ret = n < 0 ? -errno : -ENOSPC;
		goto err_close;
	}
	return fd;

err_close:
	close(fd);
	return ret;
}

/* Nothing in the file is believed before this has looked at it. */
int table_check(int memfd, uint32_t *version)
{
	struct table_header header;
	struct stat st;
	ssize_t n = pread(memfd, &header, sizeof(header), 0);

	if (n < 0)
		return -errno;
	if (fstat(memfd, &st))
		return -errno;
	if (n != (ssize_t) sizeof(header) ||
	    memcmp(header.magic, TABLE_MAGIC, sizeof(header.magic)))
		return -EUCLEAN;
	*version = header.version;
	if (header.version != TABLE_VERSION)
		return -EPROTONOSUPPORT;
	if (header.record_bytes != sizeof(struct table_record) ||
	    header.nr_counters != TABLE_NR_COUNTERS ||
	    header.nr_slots == 0 || header.nr_slots > TABLE_NR_SLOTS ||
	    header.nr_slots % TABLE_CHUNK_SLOTS ||
	    (uint64_t) st.st_size < table_bytes(header.nr_slots))
		return -EUCLEAN;
	return 0;
}

/*
 * The end of what was ever written between two places of the file: behind it is
 * a hole. By halves: to go along what is there takes the kernel longer.
 */
static uint64_t written_end(int fd, uint64_t from, uint64_t to)
{
	uint64_t first = from / TABLE_PAGE, end = (to - 1) / TABLE_PAGE + 1;

	while (first < end) {
		uint64_t middle = first + (end - first) / 2;
		off_t data = lseek(fd, (off_t) (middle * TABLE_PAGE),
				   SEEK_DATA);

		if (data < 0 && errno != ENXIO)
			return to;
		if (data < 0 || (uint64_t) data / TABLE_PAGE >= end)
			end = middle;
		else
			first = (uint64_t) data / TABLE_PAGE + 1;
	}
	return end * TABLE_PAGE < to ? end * TABLE_PAGE : to;
}

static size_t journal_in_use(int fd)
{
	const size_t slot = sizeof(struct journal_slot);
	uint64_t end = written_end(fd, TABLE_JOURNAL_AT, TABLE_RECORDS_AT);

	return (end - TABLE_JOURNAL_AT + slot - 1) / slot;
}

int table_open(struct table **out, int memfd)
{
	struct table *table;
	char *start;
	uint32_t version;
	int ret = table_check(memfd, &version);

	if (ret)
		return ret;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->fd = fcntl(memfd, F_DUPFD_CLOEXEC, 3);
	if (table->fd < 0) {
		ret = -errno;
		goto err_free;
	}
	start = mmap(NULL, table_bytes(TABLE_NR_SLOTS), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_NORESERVE, table->fd, 0);
	if (start == MAP_FAILED) {
		ret = -errno;
		goto err_close;
	}
	table->header = (struct table_header *) start;
	table->counters = (_Atomic uint64_t *) (start + TABLE_PAGE);
	table->journal = (struct journal_slot *) (start + TABLE_JOURNAL_AT);
	table->records = (struct table_record *) (start + TABLE_RECORDS_AT);
	table->nr_journal = journal_in_use(table->fd);
	ret = journal_check(table->journal, table->nr_journal,
			    table_bytes(table->header->nr_slots) -
				    TABLE_JOURNAL_AT);
	if (ret)
		goto err_unmap;
	*out = table;
	return 0;

err_unmap:
	munmap(start, table_bytes(TABLE_NR_SLOTS));
err_close:
	close(table->fd);
err_free:
	free(table);
	return ret;
}

void table_close(struct table *table)
{
	munmap(table->header, table_bytes(TABLE_NR_SLOTS));
	close(table->fd);
	free(table);
}

int table_lock(struct table *table)
{
	/* one that is not shared with children, which may end later */
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	while (fcntl(table->fd, F_SETLKW, &lock))
		if (errno != EINTR)
			return -errno;
	return 0;
}

_Atomic uint64_t *table_counters(struct table *table)
{
	return table->counters;
}

struct journal_slot *table_journal(struct table *table)
{
	return table->journal;
}

size_t table_nr_journal(const struct table *table)
{
	return table->nr_journal;
}

size_t table_save_init(struct table *table, const void *request, size_t bytes)
{
	if (bytes > TABLE_INIT_BYTES)
		return 0;
	memcpy(table->header->init, request, bytes);
	atomic_store_explicit(&table->header->init_bytes, (uint32_t) bytes,
			      memory_order_release);
	return bytes;
}

static size_t init_bytes(struct table *table)
{
	size_t bytes = atomic_load_explicit(&table->header->init_bytes,
					    memory_order_acquire);

	return bytes <= TABLE_INIT_BYTES ? bytes : 0;
}

size_t table_load_init(struct table *table, void *request)
{
	size_t bytes = init_bytes(table);

	memcpy(request, table->header->init, bytes);
	return bytes;
}

bool table_has_init(struct table *table)
{
	return init_bytes(table) != 0;
}

uint64_t table_next_handle(struct table *table)
{
	return atomic_fetch_add(&table->header->next_handle, 1) + 1;
}

_Atomic uint64_t *table_highest_id(struct table *table)
{
	return &table->header->highest_id;
}

struct table_record *table_record(struct table *table, uint32_t slot)
{
	return &table->records[slot];
}

bool table_record_is_used(const struct table_record *record)
{
	return (uint32_t) atomic_load(&record->state) == TABLE_IN_USE;
}

bool table_record_is_sound(const struct table_record *record)
{
	uint32_t word = (uint32_t) atomic_load(&record->state);

	if (word == TABLE_FREE)
		return true;
	return word == TABLE_IN_USE && atomic_load(&record->nlookup) &&
	       atomic_load(&record->backing_id) <= INT32_MAX &&
	       atomic_load(&record->nwriters) <= atomic_load(&record->nopen);
}

uint32_t table_nr_slots(struct table *table)
{
	return atomic_load_explicit(&table->header->nr_slots,
				    memory_order_acquire);
}

uint32_t table_nr_touched(struct table *table)
{
	uint32_t nr = table_nr_slots(table);
	uint64_t end = written_end(table->fd, TABLE_RECORDS_AT,
				   table_bytes(nr));

	return (uint32_t) ((end - TABLE_RECORDS_AT) /
			   sizeof(struct table_record));
}

int table_grow(struct table *table)
{
	uint32_t nr = table_nr_slots(table);
	int ret;

	if (nr >= TABLE_NR_SLOTS)
		return -ENOSPC;
	if (ftruncate(table->fd, (off_t) table_bytes(nr + TABLE_CHUNK_SLOTS))) {
		ret = errno == EFBIG ? -ENOSPC : -errno;
		if (!table->is_full)
			log_error("the tables of the mount cannot grow, so no "
				  "file more than %u can be known: %s", nr,
				  strerror(errno));
		table->is_full = true;
		return ret;
	}
	table->is_full = false;
	atomic_store_explicit(&table->header->nr_slots, nr + TABLE_CHUNK_SLOTS,
			      memory_order_release);
	return 0;
}
