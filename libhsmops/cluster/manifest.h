// Manifest: one file of a cluster folder, the text that one would `kubectl apply`.
//
// It may hold several documents separated by `---`, documents of other kinds, and Lists. A change
// rewrites only the document that it is about; every other byte stays.
//
// Internal to cluster/. A value; not changed after Parse.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/base/result.h"
#include "libhsmops/cluster/object.h"

namespace hsmops::cluster {

class Manifest {
 public:
  struct Entry {
    Object object;
    std::size_t part = 0;             // of the text, between two `---`
    std::optional<std::size_t> item;  // within a List
    std::size_t line = 1;             // where the document begins
  };

  // `kind` is what the file's folder is for. kCorrupt: it cannot be parsed, with line and column.
  // kInvalid: an object of ours without a name, or one that belongs in another folder, or one that
  // is there twice. Documents of foreign kinds are passed over.
  static base::Result<Manifest> Parse(std::string text, Kind kind);

  const std::vector<Entry>& entries() const { return entries_; }

  // The file's text with that entry replaced.
  base::Result<std::string> Replaced(const Entry& entry, const nlohmann::json& document) const;
  // The file's text without that entry; empty when nothing but white space and comments would stay.
  base::Result<std::string> Without(const Entry& entry) const;

 private:
  struct Part {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t line = 1;
  };

  std::string_view TextOf(const Part& part) const {
    return std::string_view(text_).substr(part.begin, part.end - part.begin);
  }
  void Split();
  base::Result<void> Read(std::size_t part, Kind kind);
  base::Result<void> Take(Entry entry, Kind kind);
  base::Result<std::string> Spliced(const Part& part, const nlohmann::json& document) const;

  std::string text_;
  std::vector<Part> parts_;
  std::vector<Entry> entries_;
};

}  // namespace hsmops::cluster
