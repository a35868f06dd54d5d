// What Pkcs11Token does for SoftHSM alone, at the level of its files, and what it says of tokens
// that are not the one it knew.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/base/wire.h"
#include "libhsmops/token/pkcs11_token.h"
#include "test/support/softhsm_tokens.h"
#include "test/token/token_under_test.h"

namespace hsmops::test {
namespace {

namespace fs = std::filesystem;

using base::AsBytes;
using base::ErrorCode;

struct SoftHsm {
  SoftHsmTokens tokens;
  SoftHsmToken& token = tokens.Add("one");
  base::SystemClock clock;
  base::SystemRng rng;
  std::unique_ptr<token::Pkcs11Token> open;

  SoftHsm() {
    auto uri = token::Uri::Parse(token.uri());
    REQUIRE(uri.ok());
    token::Pkcs11Options options;
    options.state_folder = token.folder();
    options.lock_folder = token.folder();
    options.on_hung = [](const std::string&) { std::abort(); };
    auto opened = token::Pkcs11Token::Open(*std::move(uri), std::move(options), clock, rng);
    REQUIRE(opened.ok());
    open = *std::move(opened);
    REQUIRE(open->Refresh().ok());
  }

  // The folder of the one token.
  std::string Files() const { return fs::directory_iterator(token.tokens_folder())->path(); }

  // A file with these attributes, each {type, kind, content} as softhsm_files.h has it.
  std::string Plant(const std::string& name, std::initializer_list<std::uint64_t> fields,
                    std::string_view rest = {}) const {
    base::Writer out;
    out.U64(0);  // the generation
    for (const std::uint64_t field : fields) out.U64(field);
    out.Raw(AsBytes(rest));
    std::string path = Files() + "/" + name + ".object";
    WriteText(path, {out.view().begin(), out.view().end()});
    return path;
  }
  // What a refused create leaves: an object without label, application and value.
  std::string PlantGhost(const std::string& name) const {
    return Plant(name, {CKA_CLASS, 2, CKO_DATA, CKA_LABEL, 3, 0, CKA_VALUE, 3, 0});
  }

  void MakeOlder() const {
    for (const auto& entry : fs::directory_iterator(Files()))
      fs::last_write_time(entry, fs::last_write_time(entry) - std::chrono::minutes(2));
  }
};

}  // namespace

TEST_CASE("ghosts older than a minute are collected, and no object that has anything in it") {
  SoftHsm soft;
  REQUIRE(soft.open->Create(kOurs, "a", AsBytes("1")).ok());
  REQUIRE(soft.open->Create(kOurs, "", {}).ok());
  REQUIRE(soft.open->Create("", "b", {}).ok());
  REQUIRE(soft.open->Create("", "", AsBytes("v")).ok());
  REQUIRE(soft.open->Barrier().ok());
  const std::string old = soft.PlantGhost("old");
  // A public object of somebody else's that has only a value, or only a label.
  const std::string value = soft.Plant("value", {CKA_VALUE, 3, 1}, "v");
  const std::string label = soft.Plant("label", {CKA_VALUE, 3, 0, CKA_LABEL, 3, 1}, "l");
  soft.MakeOlder();
  const std::string young = soft.PlantGhost("young");
  const auto collected = soft.open->CollectGhosts();
  REQUIRE(collected.ok());
  CHECK(*collected == 1);
  CHECK(!fs::exists(old));
  CHECK(fs::exists(young));
  CHECK(fs::exists(value));
  CHECK(fs::exists(label));
  REQUIRE(soft.open->Refresh().ok());
  CHECK(soft.open->Find(kOurs)->size() == 2);
  CHECK(ValueOf(*soft.open, kOurs, "a") == "1");
  CHECK(soft.open->Find("")->size() >= 2);
}

TEST_CASE("a token.object that a kill has torn is restored from its copy") {
  SoftHsm soft;
  REQUIRE(soft.open->Create(kOurs, "a", AsBytes("1")).ok());
  REQUIRE(soft.open->Barrier().ok());
  const std::string path = soft.Files() + "/token.object";
  const auto whole = fs::file_size(path);
  for (const std::uintmax_t size : {std::uintmax_t{0}, std::uintmax_t{7}, whole / 2, whole - 1}) {
    CAPTURE(size);
    fs::resize_file(path, size);
    const auto view = soft.open->Refresh();
    REQUIRE_MESSAGE(view.ok(), view.error().message());
    CHECK(ValueOf(*soft.open, kOurs, "a") == "1");
  }
}

TEST_CASE("another token in its place is refused, whatever its name, until the first is back") {
  SoftHsm soft;
  REQUIRE(soft.open->Create(kOurs, "a", AsBytes("1")).ok());
  REQUIRE(soft.open->Barrier().ok());
  SoftHsmToken& other = soft.tokens.Add("one");
  soft.token.Vanish();
  fs::copy(other.tokens_folder(), soft.token.tokens_folder(), fs::copy_options::recursive);
  for (int tries = 0; tries < 2; ++tries) {
    const auto view = soft.open->Refresh();
    REQUIRE(view.Is(ErrorCode::kUnavailable));
    CHECK(view.error().message() == "another token is in its place: serial " + other.serial() +
                                        " instead of " + soft.token.serial());
    CHECK(soft.open->view_lost());
    CHECK(soft.open->ReadStatus().Is(ErrorCode::kUnavailable));
  }
  soft.token.Return();
  REQUIRE(soft.open->Refresh().ok());
  CHECK(ValueOf(*soft.open, kOurs, "a") == "1");
}

TEST_CASE("two tokens that a URI fits are one too many, and the message says how to choose") {
  SoftHsm soft;
  SoftHsmToken& other = soft.tokens.Add("one");
  fs::copy(other.tokens_folder(), soft.token.tokens_folder(), fs::copy_options::recursive);
  const auto view = soft.open->Refresh();
  CHECK(view.Is(ErrorCode::kInvalid));
  CHECK(view.error().message().starts_with("2 tokens match \"one\": add serial="));
}

}  // namespace hsmops::test
