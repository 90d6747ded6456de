// SPDX-License-Identifier: Apache-2.0
// Any text as a condition: understood with limits that hold, or refused with a reason.
#include "cli/record_trigger.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char text[256];
    struct host_trigger trigger;
    struct error err = {0};
    size_t kept = len < sizeof text - 1 ? len : sizeof text - 1;
    memcpy(text, bytes, kept);
    text[kept] = '\0';
    if (!record_trigger_parse(&trigger, text, &err)) {
        if (err.detail[0] == '\0') {
            abort();
        }
    } else if (trigger.kind == HOST_TRIGGER_EXIT) {
        if (trigger.comm[0] == '\0' || trigger.comm[sizeof trigger.comm - 1] != '\0') {
            abort();
        }
    } else if (!(trigger.limit >= 0) || trigger.gauge >= HOST_GAUGE_CNT) {
        abort();
    }
    return 0;
}
