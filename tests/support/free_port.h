// Ports for servers of tests.
#ifndef LOCKSTEP_TESTS_SUPPORT_FREE_PORT_H_
#define LOCKSTEP_TESTS_SUPPORT_FREE_PORT_H_

namespace lockstep::testing_support {

// A loopback port that is free, outside the range from which the system takes ports for outgoing
// connections: a node that is down keeps its port. No other process is given it while this one
// lives.
int FreePort();

}  // namespace lockstep::testing_support

#endif  // LOCKSTEP_TESTS_SUPPORT_FREE_PORT_H_
