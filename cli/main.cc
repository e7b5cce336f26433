// The `lockstep` command.
#include <CLI/CLI.hpp>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/parameter.h"
#include "common/check.h"

namespace lockstep::cli {
namespace {

constexpr char kExecHelp[] =
    "Runs one transaction: all of it commits, on every database that it names, or nothing does.\n"
    "A word with a space is a statement, on the database named last; a word without one names the\n"
    "next database; each --param belongs to the statement before it. For example\n"
    "  lockstep exec bank \"UPDATE account SET balance = balance - ? WHERE id = ?\" --param 10 "
    "--param 1 \\\n"
    "                stock \"UPDATE item SET pieces = pieces - 1 WHERE name = :name\" "
    "--param :name=bolt\n";

constexpr char kExitHelp[] =
    "Exit status: 0 done, 1 refused or aborted (nothing happened), 2 wrong usage,\n"
    "3 unreachable, 4 outcome unknown (it may have happened: ask `lockstep tx get`).\n";

struct Words {
  std::string endpoint = "127.0.0.1:7400";
  std::string format = "table";
  double timeout_seconds = 10;
  std::vector<std::string> exec;
  std::string request_file;
  std::string script_file;
  std::string request_id;
  std::optional<uint32_t> attempt;
  std::vector<std::string> query;
  int64_t min_version = 0;
  std::string transaction_id;
  std::string database;
  std::string table;
  bool alive = false;
};

Exit Usage(const std::string& message) {
  std::cerr << "lockstep: " << message << "\nTry: lockstep --help\n";
  return Exit::kUsage;
}

// Of standard input for "-".
absl::StatusOr<std::string> ReadFile(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path, std::ios::binary);
  std::string content(std::istreambuf_iterator<char>(file), {});
  if (!file) return absl::NotFoundError("cannot read " + path);
  return content;
}

absl::StatusOr<ScriptRequest> WithoutScript(absl::StatusOr<v1::ExecuteRequest> request) {
  if (!request.ok()) return request.status();
  return ScriptRequest{*std::move(request), {}};
}

absl::StatusOr<ScriptRequest> RequestOf(const Words& words,
                                        const std::vector<Parameter>& parameters) {
  if (words.request_file.empty() && words.script_file.empty()) {
    return WithoutScript(MakeExecuteRequest(words.exec, parameters));
  }
  if (!words.request_file.empty() && (!words.exec.empty() || !words.script_file.empty())) {
    return absl::InvalidArgumentError("either statements, --file or --request, not two of them");
  }
  if (!words.script_file.empty() && (words.exec.size() != 1 || !parameters.empty())) {
    return absl::InvalidArgumentError("--file FILE goes with the name of one database alone");
  }
  auto content = ReadFile(words.script_file.empty() ? words.request_file : words.script_file);
  if (!content.ok()) return content.status();
  if (words.script_file.empty()) return WithoutScript(ParseExecuteRequest(*content));
  const std::string name = words.script_file == "-" ? "standard input" : words.script_file;
  return MakeScriptRequest(words.exec[0], name, *content);
}

Exit Execute(const Words& words, const std::vector<Parameter>& parameters, Commands* commands) {
  auto script = RequestOf(words, parameters);
  if (!script.ok()) return Usage(std::string(script.status().message()));
  v1::ExecuteRequest& request = script->request;
  if (!words.request_id.empty()) request.set_request_id(words.request_id);
  if (words.attempt) request.set_attempt(*words.attempt);
  return commands->Execute(std::move(request), script->source);
}

Exit Query(const Words& words, const std::vector<Parameter>& parameters, Commands* commands) {
  auto request = MakeQueryRequest(words.query, parameters);
  if (!request.ok()) return Usage(std::string(request.status().message()));
  request->set_min_version(words.min_version);
  return commands->Query(*std::move(request));
}

Exit GetTransaction(const Words& words, Commands* commands) {
  if (words.transaction_id.empty() && words.request_id.empty()) {
    return Usage("tx get needs a transaction's ID, or --request-id ID");
  }
  v1::GetTransactionRequest request;
  request.set_transaction_id(words.transaction_id);
  request.set_request_id(words.request_id);
  if (words.attempt) request.set_attempt(*words.attempt);
  return commands->GetTransaction(request);
}

Exit Run(const std::vector<std::string>& arguments) {
  auto split = TakeOutParameters(arguments);
  if (!split.ok()) return Usage(std::string(split.status().message()));

  Words words;
  CLI::App app("Lockstep: one transaction over many SQLite databases, all or nothing.", "lockstep");
  app.set_version_flag("--version", "lockstep " LOCKSTEP_VERSION);
  app.footer(kExitHelp);
  app.fallthrough();
  app.require_subcommand(1);
  app.add_option("--endpoint", words.endpoint, "the server, host:port")
      ->envname("LOCKSTEP_ENDPOINT")
      ->capture_default_str();
  app.add_option("--format", words.format, "of what is printed")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  app.add_option("--timeout", words.timeout_seconds, "seconds that the command may take")
      ->check(CLI::Range(0.001, 60.0))
      ->capture_default_str();

  // Only shown: TakeOutParameters has read them already.
  std::string unread;
  CLI::App* exec = app.add_subcommand("exec", "run a transaction");
  exec->footer(std::string(kExecHelp) + "\n" + kParameterHelp + "\n" + kExitHelp);
  exec->add_option("words", words.exec, "DATABASE STATEMENT [--param VALUE]... ...");
  exec->add_option("--request", words.request_file,
                   "a JSON ExecuteRequest from this file, - for standard input");
  exec->add_option("--file", words.script_file,
                   "a script of SQL for one database, as one transaction; - for standard input; "
                   "an error names the line on which its statement begins");
  exec->add_option("--request-id", words.request_id,
                   "makes a retry safe: a committed one is not run again");
  exec->add_option("--attempt", words.attempt, "the number of this try of --request-id");
  exec->add_option("--param", unread, "a parameter of the statement before it");

  CLI::App* query = app.add_subcommand("query", "run one SELECT");
  query->footer(std::string(kParameterHelp) + "\n" + kExitHelp);
  query->add_option("words", words.query, "DATABASE SELECT [--param VALUE]...")->required();
  query->add_option("--min-version", words.min_version, "wait for this version of the database");
  query->add_option("--param", unread, "a parameter");

  CLI::App* status = app.add_subcommand("status", "the cluster as the coordinator sees it");
  CLI::App* health = app.add_subcommand("health", "whether the server at --endpoint works");
  health->footer(
      "Of a coordinator or a participant. Exit status 0: it works; 1: it answers, but does not\n"
      "work (a participant is READY when it takes part in transactions); 3: no answer.\n");
  health->add_flag("--alive", words.alive, "a participant that is RECOVERING is good enough");

  CLI::App* tx = app.add_subcommand("tx", "one transaction");
  tx->require_subcommand(1);
  tx->fallthrough();
  CLI::App* get = tx->add_subcommand("get", "how a transaction ended");
  auto* id = get->add_option("id", words.transaction_id, "the transaction's id");
  auto* request_id = get->add_option("--request-id", words.request_id,
                                     "the request_id that the transaction was sent with");
  get->add_option("--attempt", words.attempt, "no lower attempt of it is taken afterwards")
      ->needs(request_id);
  id->excludes(request_id);
  get->footer("Exit status 0 when the outcome was found, whatever it is.\n");

  CLI::App* version = app.add_subcommand("version", "MAX(version) of a table on every replica");
  version->add_option("database", words.database, "the database")->required();
  version->add_option("table", words.table, "a table with a column \"version\"")->required();

  std::vector<std::string> reversed(split->words.rbegin(), split->words.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::Success& success) {
    return static_cast<Exit>(app.exit(success));
  } catch (const CLI::ParseError& error) {
    return Usage(error.what());
  }

  Settings settings;
  settings.endpoint = words.endpoint;
  settings.format = words.format == "json" ? Format::kJson : Format::kTable;
  settings.timeout = absl::Seconds(words.timeout_seconds);
  Commands commands(settings, &std::cout, &std::cerr);
  if (exec->parsed()) return Execute(words, split->parameters, &commands);
  if (query->parsed()) return Query(words, split->parameters, &commands);
  if (!split->parameters.empty()) return Usage("--param belongs to exec and query");
  if (status->parsed()) return commands.ClusterStatus();
  if (health->parsed()) return commands.Health(words.alive);
  if (get->parsed()) return GetTransaction(words, &commands);
  LOCKSTEP_CHECK(version->parsed(), "a command without its code");
  return commands.TableVersion(words.database, words.table);
}

}  // namespace
}  // namespace lockstep::cli

int main(int argc, char** argv) {
  // Before gRPC's first call: a client without a thread of its own otherwise looks at a connection
  // that is being made only every five seconds.
  setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "100", /*overwrite=*/0);
  const auto exit = lockstep::cli::Run({argv + 1, argv + argc});
  std::cout.flush();
  if (!std::cout) {
    std::cerr << "lockstep: standard output cannot be written\n";
    return exit == lockstep::cli::Exit::kDone ? 1 : static_cast<int>(exit);
  }
  return static_cast<int>(exit);
}
