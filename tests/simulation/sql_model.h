// The model's transactions as SQL, and the rows that SQLite shows as the model's.
#ifndef LOCKSTEP_TESTS_SIMULATION_SQL_MODEL_H_
#define LOCKSTEP_TESTS_SIMULATION_SQL_MODEL_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/branch.h"
#include "common/value.h"
#include "tests/simulation/model.h"

namespace lockstep::simulation {

// The tables with Rows() in them.
std::vector<std::string> SchemaSql();

// What WorkOf says, as a client would send it: the votes are those of Execute.
Branch SqlBranchOf(const PreparedBranch& branch, DatabaseIndex database,
                   ParticipantIndex participant);

// Reads everything; its result is for RowsOf.
inline constexpr char kReadRowsSql[] =
    "SELECT 1, id, value FROM cell UNION ALL SELECT 2, id, coins FROM account UNION ALL "
    "SELECT 3, id, value FROM register UNION ALL SELECT 4, at, value FROM list ORDER BY 1, 2";
absl::StatusOr<Rows> RowsOf(const std::vector<Row>& result);

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_SQL_MODEL_H_
