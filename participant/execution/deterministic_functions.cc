#include "participant/execution/deterministic_functions.h"

#include <algorithm>
#include <string>

namespace lockstep::participant {

uint64_t RandomSequence::Next() {
  state_ += 0x9e3779b97f4a7c15;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void DeterministicFunctions::Random::Call(sqlite::FunctionCall& call) {
  auto value = static_cast<int64_t>(sequence.Next());
  // As the built-in one: never -2^63, of which abs() fails.
  if (value < 0) value = -(value & INT64_MAX);
  call.Return(value);
}

void DeterministicFunctions::RandomBlob::Call(sqlite::FunctionCall& call) {
  const int64_t length = std::max<int64_t>(call.Int(0), 1);
  if (length > call.length_limit()) {
    call.FailTooBig();
    return;
  }
  std::string bytes(static_cast<size_t>(length), '\0');
  uint64_t word = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i % 8 == 0) word = sequence->Next();
    bytes[i] = static_cast<char>(word >> (i % 8 * 8));
  }
  call.ReturnBlob(bytes);
}

void DeterministicFunctions::TotalChanges::Call(sqlite::FunctionCall& call) {
  call.Return(connection->total_changes() - at_start);
}

DeterministicFunctions::DeterministicFunctions(sqlite::Connection* connection)
    : connection_(connection), random_blob_(&random_.sequence), total_changes_(connection) {}

absl::Status DeterministicFunctions::Install() {
  absl::Status status = connection_->DefineFunction("random", 0, &random_);
  if (status.ok()) status = connection_->DefineFunction("randomblob", 1, &random_blob_);
  if (status.ok()) status = connection_->DefineFunction("total_changes", 0, &total_changes_);
  return status;
}

void DeterministicFunctions::Remove() {
  connection_->RemoveFunction("random", 0);
  connection_->RemoveFunction("randomblob", 1);
  connection_->RemoveFunction("total_changes", 0);
}

void DeterministicFunctions::Start(uint64_t seed) {
  random_.sequence.Seed(seed);
  total_changes_.at_start = connection_->total_changes();
  connection_->set_last_insert_rowid(0);
}

}  // namespace lockstep::participant
