// RegressScene: a ClusterScene with the words that the cases here say often.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <initializer_list>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "test/crash/cluster_scene.h"

namespace hsmops::test {

// The token takes no new object.
inline constexpr const char* kTakesNothing =
    "call=1 mode=fail-before function=C_CreateObject rv=0x30 times=0";

inline bool Says(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

// Removes the object file that was written last.
inline void LoseNewestObject(const SoftHsmToken& token) {
  std::filesystem::directory_entry newest;
  for (const auto& file : std::filesystem::recursive_directory_iterator(token.tokens_folder())) {
    const bool object =
        file.path().extension() == ".object" && file.path().filename() != "token.object";
    if (object && (newest.path().empty() || file.last_write_time() > newest.last_write_time()))
      newest = file;
  }
  REQUIRE(std::filesystem::remove(newest.path()));
}

// A folder as it was, in place of another or of none.
inline void ReplaceFolder(const std::string& from, const std::string& to) {
  std::filesystem::remove_all(to);
  if (!std::filesystem::exists(from)) return;
  std::filesystem::create_directories(std::filesystem::path(to).parent_path());
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

class RegressScene : public ClusterScene {
 public:
  using ClusterScene::ClusterScene;

  Ended Hsm(std::vector<std::string> words, const std::string& input = {}) const {
    ProcessOptions options;
    options.input = input;
    return Run(cluster().Command(std::move(words)), std::move(options));
  }
  // A put that need not succeed.
  Ended TryPut(const std::string& name, const std::string& value) {
    return Hsm(PutWords(name, value));
  }
  // Several secrets in one command.
  Ended TryPutAll(const std::vector<std::pair<std::string, std::string>>& secrets) const {
    std::string text;
    for (const auto& [name, value] : secrets)
      text += "---\nkind: Secret\nmetadata: {name: " + name + "}\nstringData: {k: " + value + "}\n";
    return Hsm({"put", "-f", "-"}, text);
  }
  // Of key k, or "exit N".
  std::string Value(const std::string& name) const {
    const Ended ended = Hsm({"get", name, "--key", "k", "--raw"});
    return ended.code == 0 ? ended.out : "exit " + std::to_string(ended.code);
  }
  // The device's YAML, as a person edits it.
  std::string Spec() const { return ReadText(SpecFile()); }
  void SetSpec(const std::string& text) const { WriteText(SpecFile(), text); }
  // Everywhere in it.
  void EditSpec(const std::string& from, const std::string& to) const {
    std::string text = Spec();
    REQUIRE(Says(text, from));
    for (std::size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
    SetSpec(text);
  }
  // Takes the node out of it: every line that names it but that of the preferred Primary.
  void DropFromSpec(const std::string& node) const {
    std::string kept;
    std::istringstream lines(Spec());
    for (std::string line; std::getline(lines, line);) {
      if (!line.ends_with("- " + node) && !Says(line, " " + node + ": ")) kept += line + "\n";
    }
    SetSpec(kept);
  }
  // The preferred Primary a goes, and b is that in its place.
  void DropPrimaryFromSpec() const {
    DropFromSpec("a");
    EditSpec("primaryNode: a\n", "primaryNode: b\n");
    EditSpec("    - b\n", "");
  }
  // While this node is out of the device's YAML; the YAML of before.
  std::string DeleteWithout(const std::string& node, const std::string& name) {
    const std::string whole = Spec();
    DropFromSpec(node);
    Must({"delete", name, "--yes"});
    return whole;
  }
  // What is on a alone when b, which never had it, is the Primary and a is back.
  void LeaveOnA(const std::string& name, const std::string& value) {
    Gone({"b"});
    Put(name, value);
    Back({"b"});
    Gone({"a"});
    Must({"failover", "--to", "b", "--accept-loss", "--yes"});
    Back({"a"});
  }
  void Gone(std::initializer_list<const char*> nodes) {
    for (const char* node : nodes) token(node).Vanish();
  }
  void Back(std::initializer_list<const char*> nodes) {
    for (const char* node : nodes) token(node).Return();
  }

 private:
  std::string SpecFile() const { return cluster().folder() + "/hsmdevices/default.local.yaml"; }
};

// The exit code, with what the command said if it is another.
#define HSM_CHECK_EXIT(ended, expected) \
  CHECK_MESSAGE((ended).code == (expected), (ended).out, (ended).err)
#define HSM_REQUIRE_EXIT(ended, expected) \
  REQUIRE_MESSAGE((ended).code == (expected), (ended).out, (ended).err)

}  // namespace hsmops::test
