// SPDX-License-Identifier: MIT
/*
 * Owns the DMA map: a balanced tree of bus-address ranges (libc's tsearch), and
 * one mapping of each file that the host shares, whatever the number of ranges
 * that lie in it.
 *
 * Locks: changes need gpu->lock and gpu->sm_gate exclusively, look-ups either
 * gpu->lock or the gate shared.
 */
#include "pci/dma.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/** struct dma_file - a file shared by the host, mapped once. */
struct dma_file {
	struct dma_file *next;
	dev_t dev;
	ino_t ino;
	uint8_t *base;
	uint64_t size;		/* bytes mapped */
	bool writable;
	size_t refs;		/* ranges */
};

enum range_kind { RANGE_NONE, RANGE_FILE, RANGE_TRACE };

struct dma_range {
	uint64_t first, last;	/* inclusive, so that the last byte of 2^64 can be named */
	enum range_kind kind;
	bool r, w;
	struct dma_file *file;
	uint64_t offset;
	uint64_t generation;
};

struct dma {
	void *tree;
	struct dma_file *files;
	size_t live;
	uint64_t generation;
	struct dma_range *last;	/* found last: look-ups come in clusters.  Atomic: several threads look up */
};

/* Ranges in the tree don't overlap; a key equals what it overlaps. */
static int range_cmp(const void *pa, const void *pb)
{
	const struct dma_range *a = pa, *b = pb;

	if (a->last < b->first)
		return -1;
	return a->first > b->last;
}

static struct dma_range *range_find(struct dma *d, uint64_t first, uint64_t last)
{
	struct dma_range key = { .first = first, .last = last };
	struct dma_range **node = tfind(&key, &d->tree, range_cmp);

	return node ? *node : NULL;
}

static struct dma_range *range_at(struct dma *d, uint64_t iova)
{
	struct dma_range *r = __atomic_load_n(&d->last, __ATOMIC_ACQUIRE);

	if (r && iova >= r->first && iova <= r->last)
		return r;
	r = range_find(d, iova, iova);
	if (r)
		__atomic_store_n(&d->last, r, __ATOMIC_RELEASE);
	return r;
}

static void file_put(struct dma *d, struct dma_file *f)
{
	struct dma_file **p = &d->files;

	if (!f || --f->refs)
		return;
	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	munmap(f->base, f->size);
	free(f);
}

/* Find or make the mapping of @fd that reaches to @end. */
static int file_get(struct dma *d, int fd, uint64_t end, bool want_write, struct dma_file **out)
{
	struct dma_file *f;
	struct stat st;
	void *base;
	int prot;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size < 0 || end > (uint64_t)st.st_size)
		return -EINVAL;
	for (f = d->files; f; f = f->next)
		if (f->dev == st.st_dev && f->ino == st.st_ino)
			break;
	if (f && end <= f->size && (f->writable || !want_write)) {
		f->refs++;
		*out = f;
		return 0;
	}

	prot = PROT_READ;
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR)
		prot |= PROT_WRITE;
	else if (want_write)
		return -EACCES;
	base = mmap(NULL, (size_t)st.st_size, prot, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	if (f) {
		/* The file grew or comes writable now: pointers are computed at each look-up. */
		munmap(f->base, f->size);
	} else {
		f = calloc(1, sizeof(*f));
		if (!f) {
			munmap(base, (size_t)st.st_size);
			return -ENOMEM;
		}
		f->dev = st.st_dev;
		f->ino = st.st_ino;
		f->next = d->files;
		d->files = f;
	}
	f->base = base;
	f->size = (uint64_t)st.st_size;
	f->writable = prot & PROT_WRITE;
	f->refs++;
	*out = f;
	return 0;
}

int dma_new(struct gpu *gpu, struct dma **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void dma_del(struct dma **dma)
{
	if (!*dma)
		return;
	dma_unmap_all(*dma);
	free(*dma);
	*dma = NULL;
}

int dma_map(struct dma *d, uint64_t iova, uint64_t size, int fd, uint64_t offset, bool readable, bool writable)
{
	struct dma_range *r;
	int ret;

	if (!size || iova + (size - 1) < iova || offset + size < offset)
		return -EINVAL;
	if (range_find(d, iova, iova + size - 1))
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->first = iova;
	r->last = iova + size - 1;
	r->r = readable;
	r->w = writable;
	r->offset = offset;
	r->generation = ++d->generation;
	if (fd >= 0) {
		ret = file_get(d, fd, offset + size, writable, &r->file);
		if (ret) {
			free(r);
			return ret;
		}
		r->kind = RANGE_FILE;
	} else if (fd == DMA_FD_TRACE) {
		r->kind = RANGE_TRACE;
	}
	if (!tsearch(r, &d->tree, range_cmp)) {
		file_put(d, r->file);
		free(r);
		return -ENOMEM;
	}
	d->live++;
	return 0;
}

static void range_del(struct dma *d, struct dma_range *r)
{
	__atomic_store_n(&d->last, NULL, __ATOMIC_RELAXED);
	tdelete(r, &d->tree, range_cmp);
	file_put(d, r->file);
	free(r);
	d->live--;
}

int dma_unmap(struct dma *d, uint64_t iova, uint64_t size)
{
	uint64_t last = iova + (size - 1);
	struct dma_range *r;

	if (!size || last < iova)
		return -EINVAL;
	r = range_find(d, iova, iova);
	if (r && r->first < iova)
		return -EINVAL;
	r = range_find(d, last, last);
	if (r && r->last > last)
		return -EINVAL;
	r = range_find(d, iova, last);
	if (!r)
		return -ENOENT;
	for (; r; r = range_find(d, iova, last))
		range_del(d, r);
	return 0;
}

void dma_unmap_all(struct dma *d)
{
	while (d->tree)
		range_del(d, *(struct dma_range **)d->tree);
}

uint8_t *dma_lookup(struct dma *d, uint64_t iova, bool write, uint64_t *left, uint64_t *generation)
{
	struct dma_range *r = range_at(d, iova);

	if (!r)
		return NULL;
	if (generation)
		*generation = r->generation;
	if (r->kind != RANGE_FILE || (write ? !r->w : !r->r))
		return NULL;
	if (left)
		*left = r->last - iova == UINT64_MAX ? UINT64_MAX : r->last - iova + 1;
	return r->file->base + r->offset + (iova - r->first);
}

bool dma_present(struct dma *d, uint64_t iova, bool write, uint64_t *left)
{
	struct dma_range *r = range_at(d, iova);

	if (!r || r->kind == RANGE_NONE || (write ? !r->w : !r->r))
		return false;
	*left = r->last - iova == UINT64_MAX ? UINT64_MAX : r->last - iova + 1;
	return true;
}

size_t dma_live(const struct dma *d)
{
	return d->live;
}
