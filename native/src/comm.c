/* Communicators and collectives. */
#include "internal.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Up to this many gathered doubles a reduction is one MPI_Allgather; beyond, each rank sums a slice. Both sum in rank order: same bits. */
enum { SMALL_REDUCTION = 1 << 14 };

/* Elements of one MPI call: far below the int counts of MPI 3, and the bound of the scratch memory of a reduction. */
enum { CHUNK = 1 << 24 };

static int32_t adopt(MPI_Comm comm, msh_comm **out)
{
    msh_comm *c = malloc(sizeof *c);
    if (!c) {
        MPI_Comm_free(&comm);
        return msh_fail(MSH_ERR_MEMORY, 0, "no memory for a communicator");
    }
    c->comm = comm;
    int code = MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    if (code == MPI_SUCCESS) code = MPI_Comm_rank(comm, &c->rank);
    if (code == MPI_SUCCESS) code = MPI_Comm_size(comm, &c->size);
    if (code != MPI_SUCCESS) {
        MPI_Comm_free(&comm);
        free(c);
        return msh_check_mpi(code, "communicator");
    }
    *out = c;
    return MSH_OK;
}

static int32_t duplicate(MPI_Comm source, msh_comm **out)
{
    MPI_Comm copy = MPI_COMM_NULL;
    MSH_MPI(MPI_Comm_dup(source, &copy));
    return adopt(copy, out);
}

int32_t msh_comm_world(msh_comm **comm)
{
    MSH_ENTER();
    MSH_REQUIRE(comm, "msh_comm_world: comm is null");
    return duplicate(MPI_COMM_WORLD, comm);
}

int32_t msh_comm_self(msh_comm **comm)
{
    MSH_ENTER();
    MSH_REQUIRE(comm, "msh_comm_self: comm is null");
    return duplicate(MPI_COMM_SELF, comm);
}

int32_t msh_comm_from_fortran(int32_t handle, msh_comm **comm)
{
    MSH_ENTER();
    MSH_REQUIRE(comm, "msh_comm_from_fortran: comm is null");
    MPI_Comm source = MPI_Comm_f2c((MPI_Fint)handle);
    /* Open MPI gives a null pointer for an index that it never handed out; MPICH's handles are integers. */
    MSH_REQUIRE(source != MPI_COMM_NULL && source != (MPI_Comm)0, "msh_comm_from_fortran: %d is no communicator", (int)handle);
    return duplicate(source, comm);
}

int32_t msh_comm_to_fortran(const msh_comm *comm, int32_t *handle)
{
    MSH_ENTER();
    MSH_REQUIRE(comm && handle, "msh_comm_to_fortran: null argument");
    *handle = (int32_t)MPI_Comm_c2f(comm->comm);
    return MSH_OK;
}

int32_t msh_comm_rank(const msh_comm *comm, int32_t *rank)
{
    MSH_REQUIRE(comm && rank, "msh_comm_rank: null argument");
    *rank = comm->rank;
    return MSH_OK;
}

int32_t msh_comm_size(const msh_comm *comm, int32_t *size)
{
    MSH_REQUIRE(comm && size, "msh_comm_size: null argument");
    *size = comm->size;
    return MSH_OK;
}

int32_t msh_comm_split(const msh_comm *comm, int32_t color, int32_t key, msh_comm **part)
{
    MSH_ENTER();
    MSH_REQUIRE(comm && part, "msh_comm_split: null argument");
    MSH_REQUIRE(color >= 0, "msh_comm_split: color %d is negative", (int)color);
    MPI_Comm result = MPI_COMM_NULL;
    MSH_MPI(MPI_Comm_split(comm->comm, color, key, &result));
    return adopt(result, part);
}

int32_t msh_comm_free(msh_comm *comm)
{
    if (!comm) return MSH_OK;
    MSH_ENTER();
    int code = MPI_Comm_free(&comm->comm);
    free(comm);
    return msh_check_mpi(code, __func__);
}

static double add(double a, double b) { return a + b; }

static double larger(double a, double b) { return isnan(a) ? a : isnan(b) ? b : a > b ? a : b; }

/* One chunk: count <= CHUNK. scratch holds what the ranks sent, slice after slice. */
static int32_t reduce_chunk(const msh_comm *comm, double *values, int count, double (*op)(double, double))
{
    const int size = comm->size;
    const int small = (int64_t)count * size <= SMALL_REDUCTION;
    /* Rank r reduces elements begin(r) .. begin(r + 1); in the small case every rank reduces all of them. */
    int *sizes = malloc(sizeof(int) * 4 * (size_t)size);
    if (!sizes) return msh_fail(MSH_ERR_MEMORY, 0, "reduction: no memory for %d ranks", size);
    int *starts = sizes + size, *mine = starts + size, *places = mine + size;
    for (int r = 0; r < size; r++) {
        starts[r] = (int)((int64_t)count * r / size);
        sizes[r] = (int)((int64_t)count * (r + 1) / size) - starts[r];
    }
    const int slice = small ? count : sizes[comm->rank];
    double *scratch = malloc(sizeof(double) * ((size_t)slice * (size_t)size + 1));
    int code = MPI_SUCCESS;
    if (!scratch) {
        free(sizes);
        return msh_fail(MSH_ERR_MEMORY, 0, "reduction: no memory for %d doubles", count);
    }
    if (small)
        code = MPI_Allgather(values, count, MPI_DOUBLE, scratch, count, MPI_DOUBLE, comm->comm);
    else {
        for (int r = 0; r < size; r++) {
            mine[r] = slice;
            places[r] = slice * r;
        }
        code = MPI_Alltoallv(values, sizes, starts, MPI_DOUBLE, scratch, mine, places, MPI_DOUBLE, comm->comm);
    }
    if (code == MPI_SUCCESS) {
        double *target = small ? values : values + starts[comm->rank];
        for (int i = 0; i < slice; i++) {
            double total = scratch[i];
            for (int r = 1; r < size; r++) total = op(total, scratch[(size_t)slice * (size_t)r + (size_t)i]);
            target[i] = total;
        }
        if (!small) code = MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, sizes, starts, MPI_DOUBLE, comm->comm);
    }
    free(scratch);
    free(sizes);
    return msh_check_mpi(code, "reduction");
}

static int32_t reduce(const msh_comm *comm, double *values, int64_t count, double (*op)(double, double))
{
    if (comm->size == 1) return MSH_OK;
    for (int64_t at = 0; at < count; at += CHUNK) {
        int n = (int)(count - at < CHUNK ? count - at : CHUNK);
        int32_t status = reduce_chunk(comm, values + at, n, op);
        if (status != MSH_OK) return status;
    }
    return MSH_OK;
}

int32_t msh_sum_f64(const msh_comm *comm, double *values, int64_t count)
{
    MSH_ENTER();
    MSH_REQUIRE(comm && count >= 0 && (values || count == 0), "msh_sum_f64: null or negative argument");
    return reduce(comm, values, count, add);
}

int32_t msh_max_f64(const msh_comm *comm, double *values, int64_t count)
{
    MSH_ENTER();
    MSH_REQUIRE(comm && count >= 0 && (values || count == 0), "msh_max_f64: null or negative argument");
    return reduce(comm, values, count, larger);
}

int32_t msh_sum_i64(const msh_comm *comm, int64_t *values, int64_t count)
{
    MSH_ENTER();
    MSH_REQUIRE(comm && count >= 0 && (values || count == 0), "msh_sum_i64: null or negative argument");
    for (int64_t at = 0; at < count; at += CHUNK) { /* integer sums do not depend on the order */
        int n = (int)(count - at < CHUNK ? count - at : CHUNK);
        MSH_MPI(MPI_Allreduce(MPI_IN_PLACE, values + at, n, MPI_INT64_T, MPI_SUM, comm->comm));
    }
    return MSH_OK;
}

int32_t msh_broadcast(const msh_comm *comm, void *data, int64_t bytes, int32_t root)
{
    MSH_ENTER();
    MSH_REQUIRE(comm && bytes >= 0 && (data || bytes == 0), "msh_broadcast: null or negative argument");
    MSH_REQUIRE(root >= 0 && root < comm->size, "msh_broadcast: root %d of %d ranks", (int)root, comm->size);
    for (int64_t at = 0; at < bytes; at += CHUNK) {
        int n = (int)(bytes - at < CHUNK ? bytes - at : CHUNK);
        MSH_MPI(MPI_Bcast((char *)data + at, n, MPI_BYTE, root, comm->comm));
    }
    return MSH_OK;
}

int32_t msh_gather_i64(const msh_comm *comm, int64_t value, int64_t *all)
{
    MSH_ENTER();
    MSH_REQUIRE(comm && all, "msh_gather_i64: null argument");
    MSH_MPI(MPI_Allgather(&value, 1, MPI_INT64_T, all, 1, MPI_INT64_T, comm->comm));
    return MSH_OK;
}

int32_t msh_gather_bytes(const msh_comm *comm, const void *piece, void *all, const int64_t *offsets)
{
    MSH_ENTER();
    MSH_REQUIRE(comm && offsets, "msh_gather_bytes: null argument");
    const int64_t total = offsets[comm->size], length = offsets[comm->rank + 1] - offsets[comm->rank];
    MSH_REQUIRE(offsets[0] == 0 && total >= 0 && length >= 0, "msh_gather_bytes: offsets do not rise from 0");
    MSH_REQUIRE((piece || length == 0) && (all || total == 0), "msh_gather_bytes: null array");
    if (total > INT_MAX)
        return msh_fail(MSH_ERR_RANGE, 0, "msh_gather_bytes: %lld bytes in all; one gather carries 2147483647", (long long)total);
    int *counts = malloc(sizeof(int) * 2 * (size_t)comm->size);
    if (!counts) return msh_fail(MSH_ERR_MEMORY, 0, "msh_gather_bytes: no memory");
    int *starts = counts + comm->size;
    for (int r = 0; r < comm->size; r++) {
        counts[r] = (int)(offsets[r + 1] - offsets[r]);
        starts[r] = (int)offsets[r];
    }
    int code = MPI_Allgatherv(piece, (int)length, MPI_BYTE, all, counts, starts, MPI_BYTE, comm->comm);
    free(counts);
    return msh_check_mpi(code, __func__);
}

struct msh_messages {
    int count;
    MPI_Request requests[];
};

/* Gives up messages that somebody failed to post in full. */
static void drop(msh_messages *messages)
{
    for (int k = 0; k < messages->count; k++) {
        MPI_Cancel(&messages->requests[k]);
        MPI_Request_free(&messages->requests[k]);
    }
    free(messages);
}

/* Posts one message with each neighbor. */
static int32_t post(const char *name, const msh_comm *comm, int32_t count, const int32_t *neighbors, int sending, char *data,
                    const int64_t *offsets, msh_messages **messages)
{
    enum { TAG = 7 };
    MSH_REQUIRE(comm && count >= 0 && messages, "%s: null argument or negative count", name);
    MSH_REQUIRE(count == 0 || (neighbors && offsets), "%s: null argument", name);
    MSH_REQUIRE(count == 0 || data || offsets[count] == offsets[0], "%s: data is null", name);
    for (int k = 0; k < count; k++) {
        int64_t bytes = offsets[k + 1] - offsets[k];
        MSH_REQUIRE(neighbors[k] >= 0 && neighbors[k] < comm->size, "%s: neighbor %d of %d ranks", name, (int)neighbors[k], comm->size);
        MSH_REQUIRE(bytes >= 0, "%s: offsets of neighbor %d fall", name, (int)neighbors[k]);
        if (bytes > INT_MAX)
            return msh_fail(MSH_ERR_RANGE, 0, "%s: a message with rank %d exceeds 2147483647 bytes", name, (int)neighbors[k]);
    }
    msh_messages *m = malloc(sizeof *m + sizeof(MPI_Request) * (size_t)count);
    if (!m) return msh_fail(MSH_ERR_MEMORY, 0, "%s: no memory for %d neighbors", name, (int)count);
    m->count = 0;
    int code = MPI_SUCCESS;
    for (int k = 0; k < count && code == MPI_SUCCESS; k++) {
        int n = (int)(offsets[k + 1] - offsets[k]);
        if (n == 0) continue;
        MPI_Request *request = &m->requests[m->count];
        code = sending ? MPI_Isend(data + offsets[k], n, MPI_BYTE, neighbors[k], TAG, comm->comm, request)
                       : MPI_Irecv(data + offsets[k], n, MPI_BYTE, neighbors[k], TAG, comm->comm, request);
        if (code == MPI_SUCCESS) m->count++;
    }
    if (code != MPI_SUCCESS) {
        drop(m);
        return msh_check_mpi(code, name);
    }
    *messages = m;
    return MSH_OK;
}

int32_t msh_send_begin(const msh_comm *comm, int32_t count, const int32_t *neighbors, const void *data, const int64_t *offsets,
                       msh_messages **messages)
{
    MSH_ENTER();
    return post(__func__, comm, count, neighbors, 1, (char *)data, offsets, messages);
}

int32_t msh_receive_begin(const msh_comm *comm, int32_t count, const int32_t *neighbors, void *data, const int64_t *offsets,
                          msh_messages **messages)
{
    MSH_ENTER();
    return post(__func__, comm, count, neighbors, 0, data, offsets, messages);
}

int32_t msh_messages_end(msh_messages *messages)
{
    if (!messages) return MSH_OK;
    MSH_ENTER();
    int code = MPI_Waitall(messages->count, messages->requests, MPI_STATUSES_IGNORE);
    free(messages);
    return msh_check_mpi(code, __func__);
}

int32_t msh_exchange(const msh_comm *comm, int32_t count, const int32_t *neighbors, const void *send, const int64_t *send_offsets,
                     void *receive, const int64_t *receive_offsets)
{
    msh_messages *out = NULL, *in = NULL;
    int32_t status = msh_receive_begin(comm, count, neighbors, receive, receive_offsets, &in);
    if (status != MSH_OK) return status;
    status = msh_send_begin(comm, count, neighbors, send, send_offsets, &out);
    if (status != MSH_OK) {
        drop(in);
        return status;
    }
    status = msh_messages_end(in);
    int32_t sent = msh_messages_end(out);
    return status != MSH_OK ? status : sent;
}

int32_t msh_barrier(const msh_comm *comm)
{
    MSH_ENTER();
    MSH_REQUIRE(comm, "msh_barrier: comm is null");
    MSH_MPI(MPI_Barrier(comm->comm));
    return MSH_OK;
}
