/* Communicators and collectives against what they must give on any number of ranks. */
#include "check.h"

#include <math.h>
#include <string.h>

static void refuses_bad_calls(void)
{
    msh_comm *comm = NULL;
    int32_t level = 0;
    double one = 1;
    CHECK(msh_comm_world(&comm) == MSH_ERR_STATE);
    CHECK(msh_thread_level(&level) == MSH_ERR_STATE);
    OK(msh_init());
    OK(msh_init());
    CHECK(msh_comm_world(NULL) == MSH_ERR_ARGUMENT);
    CHECK(msh_sum_f64(NULL, &one, 1) == MSH_ERR_ARGUMENT);
    CHECK(msh_comm_from_fortran(123456, &comm) == MSH_ERR_ARGUMENT);
    CHECK(comm == NULL);
    OK(msh_comm_free(NULL));
    OK(msh_thread_level(&level));
    CHECK(level >= 1);
    char text[64];
    CHECK(msh_versions(text, sizeof text) > 5);
    CHECK(msh_versions(text, 4) > 5 && strlen(text) == 3);
    CHECK(msh_abi_version() == MSH_ABI_VERSION);
    CHECK(msh_sizeof_solve_info() == (int32_t)sizeof(msh_solve_info));
}

/* A sum whose rounding depends on the order, long enough for the sliced path when large is set. */
static void sums(const msh_comm *comm, int rank, int size, int64_t count)
{
    double *values = malloc(sizeof(double) * (size_t)count);
    CHECK(values);
    for (int64_t i = 0; i < count; i++) values[i] = 0.1 * (rank + 1) + 1e-3 * (double)i / (rank + 3);
    OK(msh_sum_f64(comm, values, count));
    for (int64_t i = 0; i < count; i++) {
        double expected = 0.1 + 1e-3 * (double)i / 3;
        for (int r = 1; r < size; r++) expected += 0.1 * (r + 1) + 1e-3 * (double)i / (r + 3);
        CHECK(values[i] == expected);
    }
    free(values);
}

static void collectives(const msh_comm *comm)
{
    int32_t rank, size;
    OK(msh_comm_rank(comm, &rank));
    OK(msh_comm_size(comm, &size));
    sums(comm, rank, size, 1);
    sums(comm, rank, size, 1000);
    sums(comm, rank, size, 40001);
    OK(msh_sum_f64(comm, NULL, 0));

    int64_t number[2] = {rank + 1, INT64_C(1) << 40};
    OK(msh_sum_i64(comm, number, 2));
    CHECK(number[0] == (int64_t)size * (size + 1) / 2 && number[1] == (INT64_C(1) << 40) * size);

    double most[3] = {rank, -1.0 - rank, rank == size - 1 ? NAN : 1.0};
    OK(msh_max_f64(comm, most, 3));
    CHECK(most[0] == size - 1 && most[1] == -1.0 && isnan(most[2]));

    char word[8] = "";
    if (rank == size - 1) strcpy(word, "hello");
    OK(msh_broadcast(comm, word, sizeof word, size - 1));
    CHECK(!strcmp(word, "hello"));
    CHECK(msh_broadcast(comm, word, 1, size) == MSH_ERR_ARGUMENT);

    int64_t *counts = malloc(sizeof(int64_t) * (size_t)(2 * size + 1)), *offsets = counts + size;
    CHECK(counts);
    OK(msh_gather_i64(comm, rank + 1, counts));
    offsets[0] = 0;
    for (int r = 0; r < size; r++) {
        CHECK(counts[r] == r + 1);
        offsets[r + 1] = offsets[r] + counts[r];
    }
    char *piece = malloc((size_t)rank + 1), *all = malloc((size_t)offsets[size]);
    CHECK(piece && all);
    memset(piece, 'a' + rank, (size_t)rank + 1);
    OK(msh_gather_bytes(comm, piece, all, offsets));
    for (int r = 0; r < size; r++)
        for (int64_t i = offsets[r]; i < offsets[r + 1]; i++) CHECK(all[i] == 'a' + r);
    offsets[size] = INT64_C(1) << 31;
    if (size > 1 || rank == 0) CHECK(msh_gather_bytes(comm, piece, all, offsets) == MSH_ERR_RANGE);
    free(piece);
    free(all);
    free(counts);

    /* Ring: to the next, from the previous; with one or two ranks they coincide. */
    int32_t neighbors[2] = {(rank + 1) % size, (rank + size - 1) % size};
    int64_t send_offsets[3] = {0, 8, 16}, receive_offsets[3] = {0, 8, 16};
    int64_t send[2] = {rank * 10 + 1, rank * 10 + 2}, receive[2] = {-1, -1};
    OK(msh_exchange(comm, 2, neighbors, send, send_offsets, receive, receive_offsets));
    if (size > 2) CHECK(receive[0] == neighbors[0] * 10 + 2 && receive[1] == neighbors[1] * 10 + 1);
    else CHECK(receive[0] == neighbors[0] * 10 + 1 && receive[1] == neighbors[1] * 10 + 2);
    OK(msh_exchange(comm, 0, NULL, NULL, NULL, NULL, NULL));
    msh_messages *in = NULL, *out = NULL;
    receive[0] = receive[1] = -1;
    OK(msh_receive_begin(comm, 2, neighbors, receive, receive_offsets, &in));
    OK(msh_send_begin(comm, 2, neighbors, send, send_offsets, &out));
    OK(msh_messages_end(in));
    OK(msh_messages_end(out));
    OK(msh_messages_end(NULL));
    if (size > 2) CHECK(receive[0] == neighbors[0] * 10 + 2 && receive[1] == neighbors[1] * 10 + 1);
    else CHECK(receive[0] == neighbors[0] * 10 + 1 && receive[1] == neighbors[1] * 10 + 2);
    CHECK(msh_send_begin(comm, 2, neighbors, NULL, send_offsets, &out) == MSH_ERR_ARGUMENT);
    neighbors[0] = size;
    CHECK(msh_receive_begin(comm, 1, neighbors, receive, receive_offsets, &in) == MSH_ERR_ARGUMENT);
    CHECK(msh_exchange(comm, 1, neighbors, send, send_offsets, receive, receive_offsets) == MSH_ERR_ARGUMENT);

    OK(msh_barrier(comm));
}

int main(void)
{
    refuses_bad_calls();
    msh_comm *world = NULL, *self = NULL, *again = NULL, *part = NULL;
    OK(msh_comm_world(&world));
    collectives(world);
    OK(msh_comm_self(&self));
    collectives(self);

    int32_t handle, rank, size, n;
    OK(msh_comm_to_fortran(world, &handle));
    OK(msh_comm_from_fortran(handle, &again));
    collectives(again);

    OK(msh_comm_rank(world, &rank));
    OK(msh_comm_size(world, &size));
    OK(msh_comm_split(world, 0, -rank, &part)); /* all of them, turned round */
    OK(msh_comm_rank(part, &n));
    CHECK(n == size - 1 - rank);
    CHECK(msh_comm_split(self, -1, 0, &part) == MSH_ERR_ARGUMENT);

    OK(msh_comm_free(part));
    OK(msh_comm_free(again));
    OK(msh_comm_free(self));
    OK(msh_comm_free(world));
    OK(msh_finalize());
    CHECK(msh_init() == MSH_ERR_STATE); /* MPI cannot start twice */
    return 0;
}
