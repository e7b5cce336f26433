#include "cli/table.h"

#include <gtest/gtest.h>

#include <limits>

namespace lockstep::cli {
namespace {

v1::Value Text(const std::string& text) {
  v1::Value value;
  value.set_text_value(text);
  return value;
}

v1::Value Real(double number) {
  v1::Value value;
  value.set_real_value(number);
  return value;
}

TEST(TableTest, ColumnsAreAlignedAndLinesEndWithoutBlanks) {
  Table table({"name", "pieces"});
  table.AddRow({"bolt", "7"});
  table.AddRow({"é", "1200"});
  table.SetNumeric(1);
  EXPECT_EQ(table.Render(),
            "name  pieces\n"
            "----  ------\n"
            "bolt       7\n"
            "é       1200\n");
}

TEST(TableTest, ARowStaysOneLineWhateverIsInIt) {
  Table table({"a"});
  table.AddRow({std::string("x\ny\x1b\0z", 6)});
  EXPECT_EQ(table.Render(), "a\n-------------\nx\\ny\\x1b\\x00z\n");
}

TEST(TableTest, ValuesOfAllTypesTellTheirType) {
  v1::Value blob;
  blob.set_blob_value(std::string("\0\xff", 2));
  v1::Value whole;
  whole.set_int_value(std::numeric_limits<int64_t>::min());
  EXPECT_EQ(FormatValue(v1::Value()), "NULL");
  EXPECT_EQ(FormatValue(whole), "-9223372036854775808");
  EXPECT_EQ(FormatValue(Text("bolt")), "bolt");
  EXPECT_EQ(FormatValue(blob), "x'00ff'");
}

TEST(TableTest, ARealIsNeverTakenForAnInteger) {
  EXPECT_EQ(FormatValue(Real(10)), "10.0");
  EXPECT_EQ(FormatValue(Real(-0.0)), "-0.0");
  EXPECT_EQ(FormatValue(Real(0.1)), "0.1");
  EXPECT_EQ(FormatValue(Real(1e300)), "1e+300");
  EXPECT_EQ(FormatValue(Real(std::numeric_limits<double>::infinity())), "inf");
}

TEST(TableTest, ColumnsOfNumbersStandToTheRight) {
  google::protobuf::RepeatedPtrField<v1::Column> columns;
  columns.Add()->set_name("n");
  columns.Add()->set_name("t");
  google::protobuf::RepeatedPtrField<v1::Row> rows;
  for (int64_t number : {5, 1000}) {
    v1::Row* row = rows.Add();
    row->add_values()->set_int_value(number);
    *row->add_values() = Text(number == 5 ? "10" : "x");
  }
  EXPECT_EQ(MakeTable(columns, rows).Render(),
            "   n  t\n"
            "----  --\n"
            "   5  10\n"
            "1000  x\n");
}

}  // namespace
}  // namespace lockstep::cli
