// Places at which a test ends the process, as kill -9 would just there.
#ifndef LOCKSTEP_COMMON_FAILPOINT_H_
#define LOCKSTEP_COMMON_FAILPOINT_H_

namespace lockstep {

// Does nothing. The programs that tests kill are made of the very same objects, and linked with
// another definition (tests/support/failpoint_kill.cc). `name` is a literal, from the list in
// docs/PROTOCOL.md. Any thread.
void Failpoint(const char* name);

}  // namespace lockstep

#endif  // LOCKSTEP_COMMON_FAILPOINT_H_
