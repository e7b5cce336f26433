// The command that repeats a test. Every test program prints it for each test that fails, and when
// a check ends the program in a test. What ends it otherwise (a sanitizer, a signal) leaves the
// test's name as the last line.
#ifndef LOCKSTEP_TESTS_SUPPORT_REPEAT_H_
#define LOCKSTEP_TESTS_SUPPORT_REPEAT_H_

#include <string>

namespace lockstep {

// Of the running test: the settings that the environment gives (LOCKSTEP_...), those of RepeatWith,
// the program and the test. One thread uses what is here.
std::string RepeatCommand();

// The running test has drawn what this setting ("LOCKSTEP_SEED=5") would have given.
void RepeatWith(const std::string& setting);

// The running test is repeated by arguments of its program, and not as a test of its name.
void RepeatByArguments(const std::string& arguments);

}  // namespace lockstep

#endif  // LOCKSTEP_TESTS_SUPPORT_REPEAT_H_
