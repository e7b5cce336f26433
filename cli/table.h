// Rows and columns as text for a terminal.
#ifndef LOCKSTEP_CLI_TABLE_H_
#define LOCKSTEP_CLI_TABLE_H_

#include <string>
#include <vector>

#include "google/protobuf/repeated_field.h"
#include "lockstep/v1/value.pb.h"

namespace lockstep::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}

  // Requires as many cells as the header has. A number is set to the right.
  void AddRow(std::vector<std::string> cells);
  void SetNumeric(size_t column);

  // Header, a line, the rows; each line ends with a newline and none with blanks. Control
  // characters inside cells come out escaped: one row is one line, whatever is in it.
  std::string Render() const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<bool> numeric_;
};

// NULL, 10, 1.5, x'00ff', or the text itself. A REAL has a point or an exponent and comes back
// exactly when read again.
std::string FormatValue(const v1::Value& value);

Table MakeTable(const google::protobuf::RepeatedPtrField<v1::Column>& columns,
                const google::protobuf::RepeatedPtrField<v1::Row>& rows);

}  // namespace lockstep::cli

#endif  // LOCKSTEP_CLI_TABLE_H_
