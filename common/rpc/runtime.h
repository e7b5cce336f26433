// What a program does once before it uses gRPC.
#ifndef LOCKSTEP_COMMON_RPC_RUNTIME_H_
#define LOCKSTEP_COMMON_RPC_RUNTIME_H_

namespace lockstep::rpc {

// Switches off Abseil's search for deadlocks, which Debian builds in: it watches every lock that
// gRPC takes, for a twentieth of a busy server's time. Allows as many open files as the system lets
// it. First thing in main, before any thread. A program that links this file also has its settings
// of the allocator, if that is jemalloc.
void PrepareRuntime();

}  // namespace lockstep::rpc

#endif  // LOCKSTEP_COMMON_RPC_RUNTIME_H_
