// TempFolder: a folder of a test's own, 0700, on memory-backed storage where there is some; removed
// with everything in it at the end.
#pragma once

#include <string>

namespace hsmops::test {

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Whole files, for tests: an error fails the test.
std::string ReadText(const std::string& path);
void WriteText(const std::string& path, const std::string& text);  // 0600

}  // namespace hsmops::test
