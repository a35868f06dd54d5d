#include "test/token/token_under_test.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "libhsmops/base/clock.h"
#include "libhsmops/base/rng.h"
#include "libhsmops/store/label.h"
#include "libhsmops/store/legacy_layout.h"
#include "libhsmops/token/memory_token.h"
#include "libhsmops/token/pkcs11_token.h"
#include "test/support/process.h"
#include "test/support/real_token.h"
#include "test/support/temp_folder.h"

namespace hsmops::test {
namespace {

Traits TraitsOf(const std::string& kind) {
  Traits traits{.kind = kind};
  // More than two pages of 512 handles, where objects cost little.
  if (kind == "memory-softhsm" || kind == "memory-generic" || kind == "softhsm")
    traits.objects = 1100;
  if (kind == "memory-softhsm" || kind == "softhsm") traits.secrets = 5000;
  // SoftHSM answers from memory: a view goes on as if its files were there.
  if (kind == "softhsm") traits.away = Traits::Away::kUnnoticed;
  // Data objects of tpm2-pkcs11 are in its database, encrypted by itself: the TPM is asked for the
  // key at the login, and for random bytes.
  if (kind == "tpm2") traits.away = Traits::Away::kRandomRefused;
  // CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE bad, got len: 0". No store writes such an object.
  if (kind == "tpm2") traits.keeps_empty = false;
  // A soft token of the machine's one daemon: nothing can be pulled.
  if (kind == "opencryptoki") traits.unplugs = false;
  // A folder of files, and refused before that matters.
  if (kind == "nss") traits.unplugs = false;
  // The TPM counts failed authorisations itself, and no flag of the token says so.
  if (kind == "tpm2") traits.tells_wrong_pin = false;
  return traits;
}

std::string KindOf() {
  const char* kind = std::getenv("HSMOPS_TOKEN_KIND");
  return kind == nullptr ? "memory-softhsm" : kind;
}

class MemoryUnderTest : public TokenUnderTest {
 public:
  explicit MemoryUnderTest(const std::string& kind)
      : TokenUnderTest(TraitsOf(kind)),
        token_({"memory", "nobody", "MemoryToken", "0123456789abcdef"},
               kind == "memory-generic" ? token::kGeneric : token::kSoftHsm, rng_) {}
  token::Token& token() override { return token_; }
  void Reopen() override { token_.Crash(true); }
  void CreateElsewhere(std::string_view application, std::string_view label,
                       std::string_view value) override {
    token_.Plant(std::string(application), std::string(label), base::AsBytes(value));
  }
  void DestroyElsewhere(std::string_view, std::string_view label) override { token_.Remove(label); }
  void Unplug() override { token_.Unplug(); }
  void Replug() override { token_.Replug(); }

 private:
  base::SeededRng rng_{1};
  token::MemoryToken token_;
};

class RealUnderTest : public TokenUnderTest {
 public:
  explicit RealUnderTest(const std::string& kind) : TokenUnderTest(TraitsOf(kind)) {
    REQUIRE(real_.can_unplug == traits_.unplugs);
    if (real_.can_renew) {
      real_.Renew();
      Reopen();
    } else {
      Empty();
    }
  }

  ~RealUnderTest() override {
    if (!plugged_) real_.Replug();
  }

  token::Token& token() override { return *token_; }

  void Reopen() override {
    token_.reset();  // one module in a process
    auto uri = token::Uri::Parse(real_.uri);
    REQUIRE_MESSAGE(uri.ok(), real_.uri);
    token::Pkcs11Options options;
    options.state_folder = folder_.path();
    options.lock_folder = folder_.path();
    options.on_hung = [](const std::string& function) {
      std::fprintf(stderr, "hung in %s\n", function.c_str());
      std::abort();
    };
    auto opened = token::Pkcs11Token::Open(*std::move(uri), std::move(options), clock_, rng_);
    REQUIRE_MESSAGE(opened.ok(), real_.uri);
    token_ = *std::move(opened);
  }

  void CreateElsewhere(std::string_view application, std::string_view label,
                       std::string_view value) override {
    Elsewhere({"create", std::string(application), std::string(label), std::string(value)});
  }
  void DestroyElsewhere(std::string_view application, std::string_view label) override {
    Elsewhere({"destroy", std::string(application), std::string(label)});
  }

  void Unplug() override {
    real_.Unplug();
    plugged_ = false;
  }
  void Replug() override {
    real_.Replug();
    plugged_ = true;
  }

 private:
  void Empty() {
    Reopen();
    const auto view = token_->Refresh();
    REQUIRE_MESSAGE(view.ok(), view.error().message());
    for (const std::string_view application :
         {kOurs, kTheirs, store::kApplication, store::kLegacyApplication}) {
      const auto left = token_->Find(application);
      REQUIRE(left.ok());
      for (const token::ObjectHandle object : *left) REQUIRE(token_->Destroy(object).ok());
    }
    Reopen();
  }

  // Its state and lock are its own: the lock of one host is not what these cases are about.
  void Elsewhere(std::vector<std::string> words) {
    std::vector<std::string> argv{ProgramPath("token_worker"), real_.uri, elsewhere_.path()};
    argv.insert(argv.end(), words.begin(), words.end());
    const Ended ended = Run(argv);
    REQUIRE_MESSAGE(ended.code == 0, ended.out, ended.err);
  }

  TempFolder folder_;
  TempFolder elsewhere_;
  base::SystemClock clock_;
  base::SystemRng rng_;
  RealToken real_ = RealToken::FromEnvironment();
  bool plugged_ = true;
  std::unique_ptr<token::Pkcs11Token> token_;
};

}  // namespace

std::unique_ptr<TokenUnderTest> TokenUnderTest::Make() {
  const std::string kind = KindOf();
  if (kind.starts_with("memory-")) return std::make_unique<MemoryUnderTest>(kind);
  return std::make_unique<RealUnderTest>(kind);
}

std::unique_ptr<TokenUnderTest> InView() {
  auto on = TokenUnderTest::Make();
  const auto view = on->token().Refresh();
  REQUIRE_MESSAGE(view.ok(), view.error().message());
  return on;
}

std::string TextOf(const base::SecretBytes& value) {
  return {value.view().begin(), value.view().end()};
}

std::string Labels(token::Token& token, std::string_view application) {
  const auto found = token.Find(application);
  REQUIRE_MESSAGE(found.ok(), found.error().message());
  std::vector<std::string> labels;
  for (const token::ObjectHandle object : *found) {
    auto label = token.ReadLabel(object);
    REQUIRE_MESSAGE(label.ok(), label.error().message());
    labels.push_back(*std::move(label));
  }
  std::sort(labels.begin(), labels.end());
  std::string text;
  for (const std::string& label : labels) text += (text.empty() ? "" : " ") + label;
  return text;
}

std::string ValueOf(token::Token& token, std::string_view application, std::string_view label) {
  const auto found = token.FindLabel(application, label);
  if (!found.ok()) return std::string(base::Name(found.code()));
  if (found->empty()) return "none";
  if (found->size() > 1) return std::to_string(found->size()) + " of them";
  const auto read = token.Read(found->front());
  return read.ok() ? TextOf(read->value) : std::string(base::Name(read.code()));
}

base::Bytes EveryByte(std::size_t size, std::uint8_t first) {
  base::Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(first + i + i / 256);
  return bytes;
}

}  // namespace hsmops::test
