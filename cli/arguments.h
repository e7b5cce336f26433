// From the words of a command line to requests.
#ifndef LOCKSTEP_CLI_ARGUMENTS_H_
#define LOCKSTEP_CLI_ARGUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/parameter.h"
#include "cli/source_lines.h"
#include "lockstep/v1/coordinator.pb.h"

namespace lockstep::cli {

// The command line with its --param options taken out. Options lose their place among the other
// words in most parsers, and here the place says which statement a parameter belongs to: so each
// --param VALUE (or --param=VALUE) becomes one positional word that only this module reads.
struct SplitCommandLine {
  std::vector<std::string> words;
  std::vector<Parameter> parameters;
};

// Fails with a sentence for the user. `arguments` is without the program's name.
absl::StatusOr<SplitCommandLine> TakeOutParameters(const std::vector<std::string>& arguments);

// Reads DATABASE STATEMENT [PARAMETER]… [STATEMENT …]… [DATABASE …]…: a word with a space (or
// another blank) in it is a statement on the database named last, a word without one names the next
// database.
absl::StatusOr<v1::ExecuteRequest> MakeExecuteRequest(const std::vector<std::string>& words,
                                                      const std::vector<Parameter>& parameters);

struct ScriptRequest {
  v1::ExecuteRequest request;
  SourceLines source;
};

// All statements of a script, as one transaction on one database. `file` is what errors call the
// script.
absl::StatusOr<ScriptRequest> MakeScriptRequest(const std::string& database,
                                                const std::string& file, const std::string& script);

// Reads DATABASE STATEMENT [PARAMETER]…
absl::StatusOr<v1::QueryRequest> MakeQueryRequest(const std::vector<std::string>& words,
                                                  const std::vector<Parameter>& parameters);

// Reads an ExecuteRequest in protobuf's JSON form, the form that grpcurl takes.
absl::StatusOr<v1::ExecuteRequest> ParseExecuteRequest(const std::string& json);

}  // namespace lockstep::cli

#endif  // LOCKSTEP_CLI_ARGUMENTS_H_
