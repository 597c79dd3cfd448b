// SPDX-License-Identifier: MIT
// The numbers of FORMAT.md, shared by reader and writer.
#pragma once
#include <stdint.h>

#define WEFT_FILE_MAGIC "\x89WEFT\r\n\x1a" // a first byte no text has, and line ends that a careless copy changes
enum {
    WEFT_FILE_MAJOR = 1,
    WEFT_FILE_MINOR = 1,        // of files with states; others are written as 1.0, which they are

    // Where the fields of the header lie.
    WEFT_AT_MAGIC = 0,
    WEFT_AT_MAJOR = 8,     // u16
    WEFT_AT_MINOR = 10,    // u16
    WEFT_AT_FEATURES = 12, // u32: bits a reader must know
    WEFT_AT_BYTES = 16,    // u64: of the whole file
    WEFT_AT_HEAD = 24,     // u64: of header and sections; the weights follow
    WEFT_AT_SECTIONS = 32, // u32
    WEFT_AT_ZERO = 36,     // 12 bytes
    WEFT_AT_WEIGHTS_SUM = 48, // u64: XXH3 of everything after the head
    WEFT_AT_HEAD_SUM = 56,    // u64: XXH3 of the sections, seeded with the XXH3 of the bytes before this field
    WEFT_FILE_HEADER = 64,

    WEFT_FILE_ALIGN = 64, // of the head and of every weight

    WEFT_SECTION_HEADER = 16, // u32 tag, u32 flags, u64 bytes
    WEFT_SECTION_ALIGN = 8,
    WEFT_SECTION_REQUIRED = 1, // flag: a reader that does not know the section must refuse the file

    WEFT_MAX_NAME = 255, // bytes of any name: its length is one byte
    WEFT_MAX_ENTRIES = 256,
    WEFT_MAX_PORTS = 1024, // inputs, and outputs, of an entry
    WEFT_MAX_DIMS = 256,
    WEFT_MAX_METAS = 1024,
    WEFT_MAX_META_BYTES = 1 << 20,
    WEFT_MAX_RECORDS = 1 << 24, // weights of a model, nodes of an entry
    WEFT_MAX_HEAD = 256 << 20,
};
#define WEFT_TAG(a, b, c, d) ((uint32_t) (a) | (uint32_t) (b) << 8 | (uint32_t) (c) << 16 | (uint32_t) (d) << 24)
#define WEFT_TAG_META WEFT_TAG('M', 'E', 'T', 'A')
#define WEFT_TAG_DIMS WEFT_TAG('D', 'I', 'M', 'S')
#define WEFT_TAG_WEIGHTS WEFT_TAG('W', 'G', 'T', 'S')
#define WEFT_TAG_STATES WEFT_TAG('S', 'T', 'A', 'T')
#define WEFT_TAG_ENTRY WEFT_TAG('E', 'N', 'T', 'R')

// dtype and attribute type as they stand in a file. The C enums have the same values; the reader's table says so once.
enum { WEFT_FILE_F32 = 0, WEFT_FILE_F16 = 1, WEFT_FILE_I32 = 2, WEFT_FILE_U8 = 3 };
enum { WEFT_FILE_INT = 0, WEFT_FILE_FLOAT = 1, WEFT_FILE_WORD = 2, WEFT_FILE_LIST = 3 };
