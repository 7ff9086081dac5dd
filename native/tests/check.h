/* A check that says where it failed and ends the whole job. */
#ifndef CHECK_H
#define CHECK_H

#include "mshpc.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
/* MPI unloads its plug-ins at the end; kept loaded, the leak report can name them and the suppressions match. */
int dlclose(void *library);
int dlclose(void *library)
{
    (void)library;
    return 0;
}
#endif

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            char text_[1024] = "";                                                                           \
            msh_last_error(text_, sizeof text_);                                                             \
            fprintf(stderr, "%s:%d: %s is false (last error: %s)\n", __FILE__, __LINE__, #condition, text_); \
            msh_abort(1);                                                                                    \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

#define OK(call) CHECK((call) == MSH_OK)

#endif
