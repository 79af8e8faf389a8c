/* SPDX-License-Identifier: Apache-2.0 */
/* Where requests go, as a spec says it. */
#pragma once

/* What is wrong with it, for people; NULL: nothing that can be seen without asking anybody. */
const char *http_url_fault(const char *url);
const char *http_proxy_fault(const char *proxy);
