// A PIN that a token has refused is never tried again: tokens lock after a few.
#include <doctest/doctest.h>

#include "libhsmops/token/uri.h"
#include "test/support/fault_plan.h"
#include "test/support/process.h"
#include "test/support/real_token.h"
#include "test/support/temp_folder.h"
#include "test/token/token_under_test.h"

namespace hsmops::test {
namespace {

constexpr int kRestarts = 20;

// The token behind the fault module, which counts; with a PIN file of the case's own.
class Counted {
 public:
  Counted() {
    auto uri = token::Uri::Parse(RealToken::FromEnvironment().uri);
    REQUIRE(uri.ok());
    env_ = plan_.environment();
    env_["KHSM_FAULT_MODULE"] = uri->module_path;
    right_pin_ = ReadText(uri->pin_path);
    uri->module_path = FaultModulePath();
    uri->pin_path = folder_ / "pin";
    uri_ = uri->ToString();
  }

  // A process that opens a view and ends: "view", or the error.
  std::string View() const {
    return Run({ProgramPath("token_worker"), uri_, folder_.path(), "view"}, {.env = env_}).out;
  }
  void SetPin(const std::string& pin) const { WriteText(folder_ / "pin", pin); }
  const std::string& right_pin() const { return right_pin_; }
  std::uint64_t logins() const { return plan_.calls("C_Login"); }

 private:
  TempFolder folder_;
  FaultPlan plan_{folder_ / "plan"};
  std::map<std::string, std::string> env_;
  std::string uri_;
  std::string right_pin_;
};

}  // namespace

TEST_SUITE("real token") {
  TEST_CASE(
      "a wrong PIN costs exactly one attempt over 20 restarts, and the right one then works") {
    const auto on = TokenUnderTest::Make();
    const Counted counted;
    counted.SetPin("000000");
    const std::string first = counted.View();
    CHECK(first.starts_with("error AuthFailed: PIN rejected: C_Login: CKR_PIN_INCORRECT; correct"));
    for (int restarts = 1; restarts < kRestarts; ++restarts) {
      CHECK(counted.View() ==
            "error AuthFailed: PIN rejected: the token refused this PIN before and it is not tried "
            "again; correct the PIN file that pin-source names\n");
    }
    CHECK(counted.logins() == 1);
    const auto before = on->token().ReadStatus();
    REQUIRE(before.ok());
    CHECK(before->pin ==
          (on->traits().tells_wrong_pin ? token::PinState::kCountLow : token::PinState::kUnknown));

    counted.SetPin(counted.right_pin() + "\n");
    CHECK(counted.View() == "view\n");
    CHECK(counted.logins() == 2);
    on->Reopen();  // flags may be read once in a view
    const auto after = on->token().ReadStatus();
    REQUIRE(after.ok());
    CHECK(after->pin == token::PinState::kUnknown);  // no flag any more; this process has not tried
    REQUIRE(on->token().Refresh().ok());
    CHECK(on->token().ReadStatus()->pin == token::PinState::kAccepted);
  }
}

}  // namespace hsmops::test
