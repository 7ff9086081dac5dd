/* What the sources share and the header does not show. */
#ifndef MSH_INTERNAL_H
#define MSH_INTERNAL_H

#include "mshpc.h"

#include <mpi.h>
#include <stddef.h>

struct msh_comm {
    MPI_Comm comm;
    int rank, size;
};

/* Records a failure for msh_last_error and returns its status, so that callers write `return msh_fail(...)`. */
int32_t msh_fail(int32_t status, int32_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Appends to the recorded failure. */
void msh_fail_append(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Records an MPI failure unless code is MPI_SUCCESS. */
int32_t msh_check_mpi(int code, const char *where);

/* MSH_OK when initialised and on the right thread. */
int32_t msh_enter(const char *function);

/* strlcpy with 64-bit lengths. */
int64_t msh_copy_text(const char *source, char *text, int64_t capacity);

/* PETSc's part of the start and the end; nothing without PETSc. */
int32_t msh_petsc_start(void);
int32_t msh_petsc_stop(void);
int64_t msh_petsc_version(char *text, int64_t capacity);

#define MSH_ENTER()                                        \
    do {                                                   \
        int32_t status_ = msh_enter(__func__);             \
        if (status_ != MSH_OK) return status_;             \
    } while (0)

#define MSH_REQUIRE(condition, ...)                                          \
    do {                                                                     \
        if (!(condition)) return msh_fail(MSH_ERR_ARGUMENT, 0, __VA_ARGS__); \
    } while (0)

#define MSH_MPI(call)                                      \
    do {                                                   \
        int32_t status_ = msh_check_mpi((call), __func__); \
        if (status_ != MSH_OK) return status_;             \
    } while (0)

#endif
