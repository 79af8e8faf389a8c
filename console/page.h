/* SPDX-License-Identifier: Apache-2.0 */
/* The files of console/page/, as they were when this was built. */
#pragma once

extern const char page_html[], page_html_end[];
extern const char page_css[], page_css_end[];
extern const char page_js[], page_js_end[];
