/* SPDX-License-Identifier: MIT */
/**
 * DOC: a picture of pages
 *
 * Shows where the pages of a piece of memory live, and what the GPU's hardware
 * did meanwhile.
 */
#ifndef PAGES_H
#define PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pages_place { PAGES_NOWHERE, PAGES_RAM, PAGES_VRAM };

/** pages_place() - where the page at @addr lives, by /proc/self/pagemap. */
enum pages_place pages_place(const void *addr);
/** pages_show() - a line of text a few dozen pages: '.' nowhere yet, 'R' in RAM, 'V' in the GPU's memory. */
void pages_show(const char *title, const void *start, const void *end);
/**
 * pages_mark() - remember where the pages of [@start, @end) live, for pages_changes().
 */
void pages_mark(const void *start, const void *end);
/**
 * pages_changes() - a second picture: what happened to each page since pages_mark().
 *
 * Moves are seen by comparing; which pages the GPU faulted on and which were mapped for it, a driver with
 * trace points tells (events_start() switches them on).
 */
void pages_changes(void);
/** pages_legend() - what the letters mean. */
void pages_legend(void);

/** pages_say() - a step of the story, in bold on a terminal. */
void pages_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** events_start() - the ledger counts and the trace begins here.  Return: false when there is no ledger (a real GPU). */
bool events_start(void);
/** events_show() - what happened since, in words. */
void events_show(void);
/** events_get() - a counter of what events_show() showed. */
uint64_t events_get(const char *name);

/**
 * pages_to_vram() - ask the driver to move pages to the GPU's memory now, as a runtime's prefetch does.
 *
 * Finds the file through which this process uses the GPU.
 * Return: 0 or a negative errno.
 */
int pages_to_vram(const void *start, const void *end);

#endif
