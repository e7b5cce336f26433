// SQLite's authorizer actions, with its numbers.
#ifndef LOCKSTEP_COMMON_SQLITE_ACCESS_H_
#define LOCKSTEP_COMMON_SQLITE_ACCESS_H_

namespace lockstep::sqlite {

// The comment names AccessRequest's first and second.
enum Access : int {
  kCreateIndex = 1,          // index, table
  kCreateTable = 2,          // table
  kCreateTempIndex = 3,      // index, table
  kCreateTempTable = 4,      // table
  kCreateTempTrigger = 5,    // trigger, table
  kCreateTempView = 6,       // view
  kCreateTrigger = 7,        // trigger, table
  kCreateView = 8,           // view
  kDelete = 9,               // table
  kDropIndex = 10,           // index, table
  kDropTable = 11,           // table
  kDropTempIndex = 12,       // index, table
  kDropTempTable = 13,       // table
  kDropTempTrigger = 14,     // trigger, table
  kDropTempView = 15,        // view
  kDropTrigger = 16,         // trigger, table
  kDropView = 17,            // view
  kInsert = 18,              // table
  kPragma = 19,              // pragma, argument
  kRead = 20,                // table, column (empty: none in particular)
  kSelect = 21,              //
  kTransaction = 22,         // operation
  kUpdate = 23,              // table, column
  kAttach = 24,              // file
  kDetach = 25,              // database
  kAlterTable = 26,          // database, table
  kReindex = 27,             // index
  kAnalyze = 28,             // table
  kCreateVirtualTable = 29,  // table, module
  kDropVirtualTable = 30,    // table, module
  kFunction = 31,            // -, function
  kSavepoint = 32,           // operation, name
  kRecursive = 33,           //
};

}  // namespace lockstep::sqlite

#endif  // LOCKSTEP_COMMON_SQLITE_ACCESS_H_
