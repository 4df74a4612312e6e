// SPDX-License-Identifier: Apache-2.0
/*
 * What autoclose and autofree do at the end of a scope.
 */
#include <stdlib.h>
#include <unistd.h>
#include "oci/oci.h"

void cleanup_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void cleanup_free(void *p)
{
    free(*(void **)p);
}
