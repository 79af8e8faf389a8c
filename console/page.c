/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of files go into the program as they are: nothing is read, or can be missing, when it runs. */
#include "console/page.h"

#define EMBED(name_, file_)                                          \
	__asm__(".pushsection .rodata\n"                             \
		".global " #name_ "\n" #name_ ":\n"                  \
		".incbin \"" WEIR_PAGE_DIR "/" file_ "\"\n"          \
		".global " #name_ "_end\n" #name_ "_end:\n.byte 0\n" \
		".popsection\n")

EMBED(page_html, "console.html");
EMBED(page_css, "console.css");
EMBED(page_js, "console.js");
