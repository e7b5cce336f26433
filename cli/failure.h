// How a call that failed ends the command.
#ifndef LOCKSTEP_CLI_FAILURE_H_
#define LOCKSTEP_CLI_FAILURE_H_

#include <grpcpp/support/status.h>

#include <string>

#include "cli/source_lines.h"

namespace lockstep::cli {

// The command's exit status; scripts rely on the numbers.
enum class Exit {
  kDone = 0,
  kRefused = 1,      // refused or aborted: nothing happened, nothing will
  kUsage = 2,        // the command line is wrong
  kUnreachable = 3,  // no server answered
  kUnknown = 4,      // the transaction may have happened, or may yet
};

enum class Format { kTable, kJson };

// What a call does; an answer that was lost means something else for each.
enum class CallKind { kRead, kTransaction };

// Requires !status.ok().
Exit ExitOf(const grpc::Status& status, CallKind kind);

// For standard error, with newlines; in JSON one object on one line. If the failure names one of
// the statements of `source`, so does this by its file and line. `request_id` is that of the
// request, if it has one.
std::string Describe(const grpc::Status& status, CallKind kind, Format format,
                     const SourceLines& source = {}, const std::string& request_id = {});

}  // namespace lockstep::cli

#endif  // LOCKSTEP_CLI_FAILURE_H_
