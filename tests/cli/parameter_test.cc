#include "cli/parameter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lockstep::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Value ValueOf(const std::string& text) {
  auto parameter = ParseParameter(text);
  EXPECT_TRUE(parameter.ok()) << text << ": " << parameter.status();
  return parameter.ok() ? parameter->value : v1::Value();
}

void ExpectRefused(const std::string& text) { EXPECT_FALSE(ParseParameter(text).ok()) << text; }

TEST(ParameterTest, WholeNumbersAreIntegersUpToTheLimitsOf64Bits) {
  EXPECT_EQ(ValueOf("10").int_value(), 10);
  EXPECT_EQ(ValueOf("-3").int_value(), -3);
  EXPECT_EQ(ValueOf("+3").int_value(), 3);
  EXPECT_EQ(ValueOf("9223372036854775807").int_value(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ValueOf("-9223372036854775808").int_value(), std::numeric_limits<int64_t>::min());
}

TEST(ParameterTest, AWholeNumberThatDoesNotFitIsRefusedAndNotRounded) {
  ExpectRefused("9223372036854775808");
  ExpectRefused("int:9223372036854775808");
  EXPECT_EQ(ValueOf("real:9223372036854775808").real_value(), 9223372036854775808.0);
}

TEST(ParameterTest, NumbersWithAPointOrAnExponentAreReal) {
  EXPECT_EQ(ValueOf("1.5").real_value(), 1.5);
  EXPECT_EQ(ValueOf("-2e9").real_value(), -2e9);
  EXPECT_EQ(ValueOf(".5").real_value(), 0.5);
  EXPECT_TRUE(std::signbit(ValueOf("-0.0").real_value()));
  EXPECT_EQ(ValueOf("real:10").real_value(), 10.0);
  EXPECT_EQ(ValueOf("real:-inf").real_value(), -std::numeric_limits<double>::infinity());
}

TEST(ParameterTest, NanIsRefused) {
  ExpectRefused("real:nan");
  EXPECT_EQ(ValueOf("nan").text_value(), "nan");
}

TEST(ParameterTest, NullIsTheWordAndEmptyTextIsText) {
  EXPECT_EQ(ValueOf("null").kind_case(), v1::Value::KIND_NOT_SET);
  EXPECT_EQ(ValueOf("NULL").kind_case(), v1::Value::KIND_NOT_SET);
  EXPECT_EQ(ValueOf("text:null").text_value(), "null");
  EXPECT_TRUE(ValueOf("").has_text_value());
  EXPECT_TRUE(ValueOf("text:").has_text_value());
}

TEST(ParameterTest, BlobsAreHexadecimal) {
  EXPECT_EQ(ValueOf("x'00ff'").blob_value(), std::string("\0\xff", 2));
  EXPECT_EQ(ValueOf("X'aB'").blob_value(), "\xab");
  EXPECT_TRUE(ValueOf("x''").has_blob_value());
  EXPECT_EQ(ValueOf("blob:00").blob_value(), std::string(1, '\0'));
  ExpectRefused("x'0'");
  ExpectRefused("x'zz'");
}

TEST(ParameterTest, EverythingElseIsText) {
  for (const std::string text : {"bolt", "a=b", "1.2.3", ".", "1e", "e5", "1e5x", "0x10", "1 2",
                                 "-", "x'", "http://x", "12:30"}) {
    EXPECT_EQ(ValueOf(text).text_value(), text);
  }
  EXPECT_EQ(ValueOf("text:10").text_value(), "10");
  EXPECT_EQ(ValueOf("text:text:10").text_value(), "text:10");
}

TEST(ParameterTest, TextThatIsNotUtf8IsRefused) { ExpectRefused("caf\xe9"); }

TEST(ParameterTest, NamesStandBeforeAnEqualsSign) {
  for (const std::string prefix : {":", "@", "$"}) {
    auto parameter = ParseParameter(prefix + "id=7");
    ASSERT_TRUE(parameter.ok());
    EXPECT_EQ(parameter->name, "id");
    EXPECT_EQ(parameter->value.int_value(), 7);
  }
  auto parameter = ParseParameter(":note=a=b");
  ASSERT_TRUE(parameter.ok());
  EXPECT_EQ(parameter->value.text_value(), "a=b");
  EXPECT_EQ(ValueOf(":-)=").text_value(), ":-)=");
  EXPECT_EQ(ValueOf(":1=2").text_value(), ":1=2");
}

TEST(ParameterTest, ARefusalDoesNotRepeatTheValue) {
  EXPECT_THAT(std::string(ParseParameter("int:secret").status().message()),
              Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace lockstep::cli
