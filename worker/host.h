/* SPDX-License-Identifier: Apache-2.0 */
/* What include/weir/stage.h calls in a worker. */
#pragma once

#include "common/stage/host.h"

extern const struct weir_host worker_host;
