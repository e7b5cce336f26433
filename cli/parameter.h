// Parameters as they are written on the command line.
#ifndef LOCKSTEP_CLI_PARAMETER_H_
#define LOCKSTEP_CLI_PARAMETER_H_

#include <string>

#include "absl/status/statusor.h"
#include "lockstep/v1/value.pb.h"

namespace lockstep::cli {

// One --param.
struct Parameter {
  // Without its prefix character; empty for a positional parameter.
  std::string name;
  v1::Value value;
};

// The help text of what ParseParameter takes.
extern const char kParameterHelp[];

// Reads `text`: VALUE, or :NAME=VALUE (also @NAME=VALUE and $NAME=VALUE). A VALUE is
//   null               NULL
//   10, -3             INTEGER
//   1.5, 2e9           REAL
//   x'00ff'            BLOB, in hexadecimal
//   int:10  real:10  text:10  blob:00ff    that type, whatever it looks like
//   anything else      TEXT
// Nothing is rounded or cut: a whole number that does not fit 64 bits, odd hexadecimal, NaN and
// text that is not UTF-8 are refused. The message of a refusal does not repeat the value.
absl::StatusOr<Parameter> ParseParameter(const std::string& text);

}  // namespace lockstep::cli

#endif  // LOCKSTEP_CLI_PARAMETER_H_
