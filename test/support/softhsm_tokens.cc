#include "test/support/softhsm_tokens.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "test/support/process.h"

namespace hsmops::test {
namespace fs = std::filesystem;

std::string SoftHsmToken::uri(const std::string& module) const {
  return "pkcs11:token=" + label_ + "?module-path=" + module + "&pin-source=file:" + pin_path() +
         "&x-softhsm-conf=" + conf();
}

void SoftHsmToken::Vanish() {
  fs::rename(tokens_folder(), folder_ + "/tokens.away");
  fs::create_directory(tokens_folder());
}

void SoftHsmToken::Return() {
  fs::remove_all(tokens_folder());
  fs::rename(folder_ + "/tokens.away", tokens_folder());
}

void SoftHsmToken::SaveTo(const std::string& copy) const {
  fs::remove_all(copy);
  fs::copy(tokens_folder(), copy, fs::copy_options::recursive);
}

void SoftHsmToken::RestoreFrom(const std::string& copy) {
  fs::remove_all(tokens_folder());
  fs::copy(copy, tokens_folder(), fs::copy_options::recursive);
}

void SoftHsmToken::WriteOlderObject(const std::string& label, const std::string& value) const {
  const std::string file = folder_ + "/older-value";
  WriteText(file, value);
  const Ended ended =
      Run({"pkcs11-tool", "--module", kSoftHsmModule, "--token-label", label_, "--login", "--pin",
           "env:OLDER_PIN", "--write-object", file, "--type", "data", "--private",
           "--application-label", "hsm-secrets-operator", "--label", label},
          {.env = {{"SOFTHSM2_CONF", conf()}, {"OLDER_PIN", ReadText(pin_path())}}});
  REQUIRE_MESSAGE(ended.code == 0, ended.err);
}

SoftHsmToken& SoftHsmTokens::Add(const std::string& label, const std::string& pin) {
  auto token = std::make_unique<SoftHsmToken>();
  token->label_ = label;
  token->folder_ = folder_ / std::to_string(tokens_.size() + 1);
  fs::create_directories(token->tokens_folder());
  WriteText(token->conf(),
            "directories.tokendir = " + token->tokens_folder() +
                "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n");
  WriteText(token->pin_path(), pin);
  const std::string so_pin_path = token->folder_ + "/so-pin";
  WriteText(so_pin_path, "so-" + pin);
  token->serial_ = InitToken(kSoftHsmModule, label, so_pin_path, token->pin_path(),
                             {{"SOFTHSM2_CONF", token->conf()}});
  tokens_.push_back(std::move(token));
  return *tokens_.back();
}

std::string InitToken(const std::string& module, const std::string& label,
                      const std::string& so_pin_path, const std::string& pin_path,
                      const std::map<std::string, std::string>& env,
                      const std::string& new_so_pin_path) {
  std::vector<std::string> argv{ProgramPath("token_init"), module, label, so_pin_path, pin_path};
  if (!new_so_pin_path.empty()) argv.push_back(new_so_pin_path);
  const Ended made = Run(argv, {.env = env});
  REQUIRE_MESSAGE(made.code == 0, "making the token ", label, ": ", made.err);
  return made.out.substr(0, made.out.find_last_not_of(" \n") + 1);
}

}  // namespace hsmops::test
