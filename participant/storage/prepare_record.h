// The record that a participant writes behind the frames of a prepared round.
//
//    0   4  zero: read as a WAL frame it has page number 0, which SQLite never accepts
//    4   4  magic
//    8   4  format version
//   12   4  term
//   16   8  round
//   24   8  offset of the masked commit frame in the WAL
//   32   8  that frame's true checksum: binds the record to these very frames
//   40   8  length of the body
//   48      body
//        8  checksum of all before
//
// All numbers are big-endian. Other versions keep everything but the body's meaning.
#ifndef LOCKSTEP_PARTICIPANT_STORAGE_PREPARE_RECORD_H_
#define LOCKSTEP_PARTICIPANT_STORAGE_PREPARE_RECORD_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/round_id.h"
#include "common/sqlite/file.h"
#include "common/sqlite/wal_writer.h"

namespace lockstep::participant {

inline constexpr uint32_t kPrepareRecordVersion = 1;

std::string EncodePrepareRecord(RoundId round, const sqlite::CommitFrame& frame,
                                std::string_view body);

// Of a record with this body, as it stands in the WAL.
int64_t PrepareRecordSize(std::string_view body);

// Reads the body of the record behind `frame`. NotFound if there is none that belongs to this very
// frame; FailedPrecondition if there is one of a newer format; DataLoss if it is another round's:
// then one of the two places that name the round is damaged.
absl::StatusOr<std::string> ReadPrepareRecord(const sqlite::File& wal, RoundId round,
                                              const sqlite::CommitFrame& frame);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_STORAGE_PREPARE_RECORD_H_
