// ClusterScene: a cluster of the real command whose tokens are all behind the fault module, each
// with a plan of its own, and a way back to how it was.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "test/support/fault_plan.h"
#include "test/support/local_cluster.h"
#include "test/support/softhsm_tokens.h"

namespace hsmops::test {

class ClusterScene {
 public:
  // Its first node is the Primary.
  explicit ClusterScene(const std::vector<std::string>& nodes)
      : cluster_(tokens_.folder() + "/cluster") {
    std::vector<std::string> init{"init"};
    for (const std::string& node : nodes) {
      SoftHsmToken& token = tokens_.Add(node);
      members_.emplace(node, &token);
      plans_.emplace(node, FaultPlan(token.conf() + ".faults"));
      init.insert(init.end(), {"--member", node + "=" + token.uri(FaultModulePath())});
    }
    Must(init);
  }

  const LocalCluster& cluster() const { return cluster_; }
  SoftHsmToken& token(const std::string& node) { return *members_.at(node); }
  FaultPlan& plan(const std::string& node) { return plans_.at(node); }
  // Of every secret that a Put of this scene has seen acknowledged.
  const std::map<std::string, std::string>& values() const { return values_; }

  void Must(const std::vector<std::string>& words) {
    const Ended ended = cluster_.Hsm(words);
    REQUIRE_MESSAGE(ended.code == 0, words[0], ": ", ended.err);
  }
  std::vector<std::string> PutWords(const std::string& name, const std::string& value) {
    WriteText(tokens_.folder() + "/value", value);
    return {"put", name, "--from-file", "k=" + tokens_.folder() + "/value"};
  }
  void Put(const std::string& name, const std::string& value) {
    Must(PutWords(name, value));
    values_[name] = value;
  }
  void Delete(const std::string& name) {
    Must({"delete", name, "--yes"});
    values_[name] = "absent";
  }
  ClusterLook Look(const std::map<std::string, std::string>& values) const {
    std::vector<std::string> names;
    for (const auto& [name, value] : values) names.push_back(name);
    return cluster_.Look(names);
  }

  void Save() {
    for (const auto& [node, token] : members_) token->SaveTo(Saved(node));
    std::filesystem::remove_all(Saved("cluster"));
    std::filesystem::copy(cluster_.folder(), Saved("cluster"),
                          std::filesystem::copy_options::recursive);
  }
  // Also takes the faults away.
  void Restore() {
    for (const auto& [node, token] : members_) token->RestoreFrom(Saved(node));
    std::filesystem::remove_all(cluster_.folder());
    std::filesystem::copy(Saved("cluster"), cluster_.folder(),
                          std::filesystem::copy_options::recursive);
    NoFaults();
  }
  void NoFaults() {
    for (auto& [node, plan] : plans_) plan.Set("");
  }

 private:
  std::string Saved(const std::string& what) const { return tokens_.folder() + "/saved-" + what; }

  SoftHsmTokens tokens_;
  LocalCluster cluster_;
  std::map<std::string, SoftHsmToken*> members_;
  std::map<std::string, FaultPlan> plans_;
  std::map<std::string, std::string> values_;
};

}  // namespace hsmops::test
