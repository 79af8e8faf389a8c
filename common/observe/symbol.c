/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For signal handlers, so with system calls alone: the dynamic linker has names too, but takes a lock for them, which whoever was
 * interrupted may hold, and it knows exported functions only.
 *
 *      /proc/self/maps   address -> object, file offset         (one pass over all mappings)
 *      program headers   file offset -> address in the object
 *      .symtab, .dynsym  address -> function                    (one pass over each object's table, for all its frames)
 *
 * What a file says is not trusted: every read is bounded, and what makes no sense has no name.
 */
#include "common/observe/symbol.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAPS_BUFFER_SIZE 4096u
#define SYMBOLS_AT_ONCE 96u
#define SECTIONS_MAX 4096u
#define TABLE_BYTES_MAX (UINT64_C(64) << 20) /* a longer table is not searched */

/* One line of /proc/self/maps. */
struct mapping {
	uintptr_t start, end;
	uint64_t file_offset, inode;
	const char *path; /* in the line's own buffer; "" */
};

/* The frames that lie in one object. */
struct wanted {
	struct symbol_frame *frames;
	size_t n;
	const struct mapping *mapping;
};

static uintptr_t instruction_of(const struct symbol_frame *frame)
{
	return frame->address - (frame->behind_call && frame->address);
}

static bool is_wanted(const struct wanted *wanted, size_t i)
{
	uintptr_t at = instruction_of(&wanted->frames[i]);

	return at >= wanted->mapping->start && at < wanted->mapping->end;
}

/* ---- files ---- */

static bool read_at(int fd, uint64_t offset, void *bytes, size_t n)
{
	ssize_t got;

	do
		got = pread(fd, bytes, n, (off_t)offset);
	while (got < 0 && errno == EINTR);
	return got >= 0 && (size_t)got == n;
}

static void read_name(int fd, uint64_t offset, char name[static SYMBOL_NAME_SIZE])
{
	ssize_t got = pread(fd, name, SYMBOL_NAME_SIZE - 1, (off_t)offset);

	name[got > 0 ? got : 0] = '\0';
	for (char *at = name; *at; at++)
		if (*at <= ' ' || *at >= 0x7f)
			*at = '?';
}

static void copy_file_name(const char *path, char file[static SYMBOL_FILE_SIZE])
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t length = strnlen(name, SYMBOL_FILE_SIZE - 1);

	memcpy(file, name, length);
	file[length] = '\0';
}

/* ---- one object ---- */

/* From offsets in the file to addresses in the object. Returns false if a frame is in no segment of it: it is something else. */
static bool place_frames(int fd, const ElfW(Ehdr) * header, const struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->n; i++) {
		uint64_t at =
			instruction_of(&wanted->frames[i]) - wanted->mapping->start + wanted->mapping->file_offset;
		bool found = false;

		for (unsigned j = 0; is_wanted(wanted, i) && !found && j < header->e_phnum; j++) {
			ElfW(Phdr) segment;

			if (!read_at(fd, header->e_phoff + j * sizeof(segment), &segment, sizeof(segment)))
				return false;
			found = segment.p_type == PT_LOAD && at >= segment.p_offset &&
				at - segment.p_offset < segment.p_filesz;
			if (found)
				wanted->frames[i].offset = at - segment.p_offset + segment.p_vaddr;
		}
		if (is_wanted(wanted, i) && !found)
			return false;
	}
	return true;
}

static void match(int fd, const ElfW(Shdr) * names, const ElfW(Sym) * symbol, const struct wanted *wanted)
{
	if ((symbol->st_info & 0xf) != STT_FUNC || !symbol->st_size || symbol->st_name >= names->sh_size)
		return;
	for (size_t i = 0; i < wanted->n; i++)
		if (is_wanted(wanted, i) && wanted->frames[i].offset - symbol->st_value < symbol->st_size)
			read_name(fd, names->sh_offset + symbol->st_name, wanted->frames[i].function);
}

static void search_table(int fd, const ElfW(Shdr) * table, const ElfW(Shdr) * names, const struct wanted *wanted)
{
	ElfW(Sym) symbols[SYMBOLS_AT_ONCE];
	uint64_t n = table->sh_size / sizeof(symbols[0]);

	for (uint64_t i = 0; i < n; i += SYMBOLS_AT_ONCE) {
		size_t some = n - i < SYMBOLS_AT_ONCE ? (size_t)(n - i) : SYMBOLS_AT_ONCE;

		if (!read_at(fd, table->sh_offset + i * sizeof(symbols[0]), symbols, some * sizeof(symbols[0])))
			return;
		for (size_t j = 0; j < some; j++)
			match(fd, names, &symbols[j], wanted);
	}
}

/* All functions if it has them, else those that it exports. Returns false if there is no such table. */
static bool search_tables(int fd, const ElfW(Ehdr) * header, uint32_t type, const struct wanted *wanted)
{
	for (unsigned i = 0; i < header->e_shnum && i < SECTIONS_MAX; i++) {
		ElfW(Shdr) table, names;

		if (!read_at(fd, header->e_shoff + i * sizeof(table), &table, sizeof(table)))
			return false;
		if (table.sh_type != type)
			continue;
		if (table.sh_entsize != sizeof(ElfW(Sym)) || table.sh_size > TABLE_BYTES_MAX ||
		    table.sh_link >= header->e_shnum ||
		    !read_at(fd, header->e_shoff + table.sh_link * sizeof(names), &names, sizeof(names)))
			return false;
		search_table(fd, &table, &names, wanted);
		return true;
	}
	return false;
}

static bool is_object(const ElfW(Ehdr) * header)
{
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
	       header->e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
	       header->e_phentsize == sizeof(ElfW(Phdr));
}

static void name_in_file(int fd, const struct wanted *wanted)
{
	ElfW(Ehdr) header;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != wanted->mapping->inode ||
	    !read_at(fd, 0, &header, sizeof(header)) || !is_object(&header) || !place_frames(fd, &header, wanted) ||
	    header.e_shentsize != sizeof(ElfW(Shdr)))
		return;
	if (!search_tables(fd, &header, SHT_SYMTAB, wanted))
		(void)search_tables(fd, &header, SHT_DYNSYM, wanted);
}

static void name_in_mapping(struct symbol_frame *frames, size_t n, const struct mapping *mapping)
{
	const struct wanted wanted = { frames, n, mapping };
	bool any = false;
	int fd;

	for (size_t i = 0; i < n; i++) {
		if (!is_wanted(&wanted, i))
			continue;
		any = true;
		if (!mapping->path[0])
			continue;
		copy_file_name(mapping->path, frames[i].file);
		frames[i].offset = instruction_of(&frames[i]) - mapping->start + mapping->file_offset;
	}
	if (!any || mapping->path[0] != '/')
		return;
	fd = open(mapping->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return;
	name_in_file(fd, &wanted);
	close(fd);
}

/* ---- the mappings ---- */

static uint64_t take_number(const char **at, unsigned base)
{
	uint64_t number = 0;

	for (;; ++*at) {
		char c = **at;
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
				 c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 :
							base;

		if (digit >= base)
			return number;
		number = number * base + digit;
	}
}

static const char *skip_word(const char *at)
{
	at += strcspn(at, " ");
	return at + strspn(at, " ");
}

/* "55d0c000-55d0d000 r-xp 00001000 fe:00 1234     /path of the file" */
static void read_mapping(const char *line, struct mapping *ret)
{
	ret->start = (uintptr_t)take_number(&line, 16);
	line += *line == '-';
	ret->end = (uintptr_t)take_number(&line, 16);
	line = skip_word(skip_word(line)); /* a blank, the permissions */
	ret->file_offset = take_number(&line, 16);
	line = skip_word(skip_word(line)); /* a blank, the device */
	ret->inode = take_number(&line, 10);
	ret->path = line + strspn(line, " ");
}

static void take_line(char *line, struct symbol_frame *frames, size_t n)
{
	struct mapping mapping;

	read_mapping(line, &mapping);
	name_in_mapping(frames, n, &mapping);
}

void symbols_find(struct symbol_frame *frames, size_t n)
{
	char buffer[MAPS_BUFFER_SIZE];
	size_t length = 0;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < n; i++) {
		frames[i].function[0] = frames[i].file[0] = '\0';
		frames[i].offset = frames[i].address;
	}
	while (fd >= 0) {
		ssize_t got = read(fd, buffer + length, sizeof(buffer) - 1 - length);
		char *line = buffer, *newline;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		length += (size_t)got;
		buffer[length] = '\0';
		for (; (newline = strchr(line, '\n')); line = newline + 1) {
			*newline = '\0';
			take_line(line, frames, n);
		}
		length = (size_t)(buffer + length - line);
		if (length == sizeof(buffer) - 1)
			length = 0; /* a path that is longer than any */
		memmove(buffer, line, length);
	}
	if (fd >= 0)
		close(fd);
}
