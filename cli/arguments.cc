#include "cli/arguments.h"

#include <google/protobuf/util/json_util.h>

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/sqlite/sql_script.h"
#include "common/utf8.h"

namespace lockstep::cli {
namespace {

// What stands in the place of a parameter. A shell cannot pass U+0001 by accident.
constexpr char kMark = '\x01';

std::string MarkOf(size_t index) { return absl::StrCat(std::string(1, kMark), index); }

std::optional<size_t> IndexOf(const std::string& word) {
  if (word.empty() || word[0] != kMark) return std::nullopt;
  size_t index = 0;
  std::from_chars(word.data() + 1, word.data() + word.size(), index);
  return index;
}

bool HasBlank(std::string_view word) {
  return word.find_first_of(" \t\r\n") != std::string_view::npos;
}

// Statement, QueryRequest and the like have the same two fields.
template <typename Message>
absl::Status AddParameter(const Parameter& parameter, Message* message) {
  if (parameter.name.empty()) {
    *message->add_params() = parameter.value;
  } else if (!message->mutable_named_params()->insert({parameter.name, parameter.value}).second) {
    return absl::InvalidArgumentError(
        absl::StrCat("parameter :", parameter.name, " is given twice"));
  }
  if (message->params_size() > 0 && message->named_params_size() > 0) {
    return absl::InvalidArgumentError("a statement takes positional or named parameters, not both");
  }
  return absl::OkStatus();
}

absl::Status CheckUtf8(const std::string& word) {
  if (IsValidUtf8(word)) return absl::OkStatus();
  return absl::InvalidArgumentError("a database's name and SQL are UTF-8");
}

}  // namespace

absl::StatusOr<SplitCommandLine> TakeOutParameters(const std::vector<std::string>& arguments) {
  constexpr std::string_view kOption = "--param";
  SplitCommandLine result;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    std::string text;
    if (word == kOption) {
      if (++i == arguments.size()) return absl::InvalidArgumentError("--param needs a value");
      text = arguments[i];
    } else if (word.starts_with("--param=")) {
      text = word.substr(kOption.size() + 1);
    } else {
      result.words.push_back(word);
      continue;
    }
    auto parameter = ParseParameter(text);
    if (!parameter.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--param number ", result.parameters.size() + 1, ": ", parameter.status().message()));
    }
    result.words.push_back(MarkOf(result.parameters.size()));
    result.parameters.push_back(*std::move(parameter));
  }
  return result;
}

absl::StatusOr<v1::ExecuteRequest> MakeExecuteRequest(const std::vector<std::string>& words,
                                                      const std::vector<Parameter>& parameters) {
  v1::ExecuteRequest request;
  v1::Operation* operation = nullptr;
  v1::Statement* statement = nullptr;
  for (const std::string& word : words) {
    if (const auto index = IndexOf(word)) {
      LOCKSTEP_CHECK(*index < parameters.size(), "a mark without its parameter");
      if (statement == nullptr) {
        return absl::InvalidArgumentError("--param stands behind the statement that it is for");
      }
      absl::Status status = AddParameter(parameters[*index], statement);
      if (!status.ok()) return status;
      continue;
    }
    absl::Status status = CheckUtf8(word);
    if (!status.ok()) return status;
    if (HasBlank(word)) {
      if (operation == nullptr) {
        return absl::InvalidArgumentError("the name of a database stands before its statements");
      }
      statement = operation->add_statements();
      statement->set_sql(word);
      continue;
    }
    if (operation != nullptr && operation->statements().empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "no statement for database '", operation->database(), "' (a statement has a space)"));
    }
    operation = request.add_operations();
    operation->set_database(word);
    statement = nullptr;
  }
  if (operation == nullptr) return absl::InvalidArgumentError("a database and a statement, please");
  if (operation->statements().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "no statement for database '", operation->database(), "' (a statement has a space)"));
  }
  return request;
}

absl::StatusOr<ScriptRequest> MakeScriptRequest(const std::string& database,
                                                const std::string& file,
                                                const std::string& script) {
  if (absl::Status status = CheckUtf8(database); !status.ok()) return status;
  ScriptRequest made;
  made.source.file = file;
  v1::Operation* operation = made.request.add_operations();
  operation->set_database(database);
  for (sqlite::ScriptStatement& statement : sqlite::SplitScript(script)) {
    if (!IsValidUtf8(statement.sql)) {
      return absl::InvalidArgumentError(absl::StrCat(
          file, ":", statement.line, ": this statement is not UTF-8; convert the script"));
    }
    operation->add_statements()->set_sql(std::move(statement.sql));
    made.source.lines.push_back(statement.line);
  }
  if (operation->statements().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": there is no statement in this script"));
  }
  return made;
}

absl::StatusOr<v1::QueryRequest> MakeQueryRequest(const std::vector<std::string>& words,
                                                  const std::vector<Parameter>& parameters) {
  if (words.size() < 2 || IndexOf(words[0]) || IndexOf(words[1])) {
    return absl::InvalidArgumentError("a database and one SELECT, please");
  }
  v1::QueryRequest request;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto index = IndexOf(words[i]);
    absl::Status status = index ? AddParameter(parameters[*index], &request) : CheckUtf8(words[i]);
    if (status.ok() && !index && i >= 2) {
      status = absl::InvalidArgumentError("a query is one statement on one database");
    }
    if (!status.ok()) return status;
  }
  request.set_database(words[0]);
  request.set_sql(words[1]);
  return request;
}

absl::StatusOr<v1::ExecuteRequest> ParseExecuteRequest(const std::string& json) {
  v1::ExecuteRequest request;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &request);
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not an ExecuteRequest in JSON: ", std::string(status.message())));
  }
  return request;
}

}  // namespace lockstep::cli
