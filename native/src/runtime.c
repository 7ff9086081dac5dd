/* Start, end, errors, versions. */
#define _POSIX_C_SOURCE 200809L

#include "internal.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char error_text[8192];
static int32_t error_code;
static int initialized, owns_mpi;

int64_t msh_copy_text(const char *source, char *text, int64_t capacity)
{
    size_t length = strlen(source);
    if (text && capacity > 0) {
        size_t n = length < (size_t)capacity - 1 ? length : (size_t)capacity - 1;
        memcpy(text, source, n);
        text[n] = '\0';
    }
    return (int64_t)length;
}

int32_t msh_fail(int32_t status, int32_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error_text, sizeof error_text, format, args);
    va_end(args);
    error_code = code;
    return status;
}

void msh_fail_append(const char *format, ...)
{
    size_t used = strlen(error_text);
    va_list args;
    va_start(args, format);
    vsnprintf(error_text + used, sizeof error_text - used, format, args);
    va_end(args);
}

int32_t msh_check_mpi(int code, const char *where)
{
    if (code == MPI_SUCCESS) return MSH_OK;
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    return msh_fail(MSH_ERR_MPI, code, "%s: %s", where, text);
}

int32_t msh_enter(const char *function)
{
    if (!initialized) return msh_fail(MSH_ERR_STATE, 0, "%s: MPI is not initialised (msh_init), or was shut down", function);
    int level = MPI_THREAD_SINGLE, is_main = 0, finalized = 0;
    MSH_MPI(MPI_Finalized(&finalized)); /* by the host that started it; any other call would now end the process */
    if (finalized) return msh_fail(MSH_ERR_STATE, 0, "%s: MPI was finalised", function);
    MSH_MPI(MPI_Query_thread(&level));
    if (level >= MPI_THREAD_SERIALIZED) return MSH_OK;
    MSH_MPI(MPI_Is_thread_main(&is_main));
    if (is_main) return MSH_OK;
    return msh_fail(MSH_ERR_THREAD, 0, "%s: called from another thread than the one that initialised MPI", function);
}

int32_t msh_abi_version(void) { return MSH_ABI_VERSION; }

int32_t msh_sizeof_solve_info(void) { return (int32_t)sizeof(msh_solve_info); }

int64_t msh_last_error(char *text, int64_t capacity) { return msh_copy_text(error_text, text, capacity); }

int32_t msh_last_error_code(void) { return error_code; }

int64_t msh_versions(char *text, int64_t capacity)
{
    char library[MPI_MAX_LIBRARY_VERSION_STRING] = "", petsc[128] = "", line[MPI_MAX_LIBRARY_VERSION_STRING + 160];
    int length = 0;
    MPI_Get_library_version(library, &length);
    library[strcspn(library, ",\n")] = '\0'; /* the rest is build host and date */
    msh_petsc_version(petsc, sizeof petsc);
    snprintf(line, sizeof line, "%s; %s", library, petsc);
    return msh_copy_text(line, text, capacity);
}

int32_t msh_init(void)
{
    if (initialized) return MSH_OK;
    int done = 0, finalized = 0;
    MSH_MPI(MPI_Finalized(&finalized));
    if (finalized) return msh_fail(MSH_ERR_STATE, 0, "msh_init: MPI was finalised already and cannot start twice in one process");
    MSH_MPI(MPI_Initialized(&done));
    if (!done) {
        /* The host's runtime (CLR) owns SIGSEGV; UCX would take it. A lone process needs no daemon. The user's own settings win. */
        setenv("UCX_ERROR_SIGNALS", "SIGILL,SIGBUS,SIGFPE", 0);
        setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
        int provided = MPI_THREAD_SINGLE;
        MSH_MPI(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided));
        owns_mpi = 1;
        if (provided < MPI_THREAD_FUNNELED) return msh_fail(MSH_ERR_MPI, 0, "msh_init: MPI grants no MPI_THREAD_FUNNELED");
    }
    int32_t status = msh_petsc_start();
    if (status != MSH_OK) return status;
    initialized = 1;
    return MSH_OK;
}

int32_t msh_finalize(void)
{
    if (!initialized) return MSH_OK;
    int finalized = 0;
    MSH_MPI(MPI_Finalized(&finalized));
    if (finalized) { /* whoever started MPI has ended it before us */
        initialized = 0;
        return MSH_OK;
    }
    MSH_ENTER();
    initialized = 0;
    int32_t status = msh_petsc_stop();
    if (status != MSH_OK) return status;
    if (owns_mpi) MSH_MPI(MPI_Finalize());
    return MSH_OK;
}

int32_t msh_is_initialized(int32_t *flag)
{
    MSH_REQUIRE(flag, "msh_is_initialized: flag is null");
    int finalized = 0;
    MSH_MPI(MPI_Finalized(&finalized));
    *flag = initialized && !finalized;
    return MSH_OK;
}

int32_t msh_owns_mpi(int32_t *flag)
{
    MSH_REQUIRE(flag, "msh_owns_mpi: flag is null");
    *flag = owns_mpi;
    return MSH_OK;
}

int32_t msh_thread_level(int32_t *level)
{
    MSH_REQUIRE(level, "msh_thread_level: level is null");
    if (!initialized) return msh_fail(MSH_ERR_STATE, 0, "msh_thread_level: MPI is not initialised");
    int granted = 0;
    MSH_MPI(MPI_Query_thread(&granted));
    *level = granted >= MPI_THREAD_MULTIPLE ? 3 : granted >= MPI_THREAD_SERIALIZED ? 2 : granted >= MPI_THREAD_FUNNELED ? 1 : 0;
    return MSH_OK;
}

int32_t msh_abort(int32_t code)
{
    if (!initialized) return msh_fail(MSH_ERR_STATE, 0, "msh_abort: MPI is not initialised");
    return msh_check_mpi(MPI_Abort(MPI_COMM_WORLD, code), __func__);
}
