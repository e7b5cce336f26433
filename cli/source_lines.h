// Where the statements of a request came from.
#ifndef LOCKSTEP_CLI_SOURCE_LINES_H_
#define LOCKSTEP_CLI_SOURCE_LINES_H_

#include <string>
#include <vector>

namespace lockstep::cli {

// Of a request that was read from a script. Without a script there are no lines.
struct SourceLines {
  std::string file;
  std::vector<int> lines;  // on which the statements of the request's one operation begin
};

}  // namespace lockstep::cli

#endif  // LOCKSTEP_CLI_SOURCE_LINES_H_
