// SPDX-License-Identifier: MIT
// Any bytes as texts, or as a table: UTF-8 records, or io_error. Texts, and the bytes themselves, go through the tokenizer.
#include "mmd/io/jsonl.hpp"

#include <cstdlib>

#include "mmd/io/tsv.hpp"
#include "mmd/text/ngrams.hpp"

namespace {
void count(std::string_view text) {
  std::size_t ngrams = 0;
  mmd::detail::for_each_ngram(text, mmd::ngram_form::style, [&](std::uint32_t key) { ngrams += key >> 25 == 0; });
  if (ngrams > 10 * text.size() + 10) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  count(mmd::detail::as_text(bytes));
  try {
    for (const mmd::text_record& record : mmd::parse_jsonl(bytes, "fuzz.jsonl")) {
      for (const std::string* field :
           {&record.text, &record.id, &record.label, &record.domain, &record.source, &record.group, &record.doc}) {
        if (mmd::find_invalid_utf8(*field) != field->npos || field->find('\0') != field->npos) std::abort();
      }
      count(record.text);
    }
  } catch (const mmd::io_error&) {
  }
  try {
    const mmd::text_table table = mmd::parse_tsv(bytes, "fuzz.tsv");
    for (const mmd::text_column& column : table.columns()) {
      if (column.cells.size() != table.rows()) std::abort();
    }
  } catch (const mmd::io_error&) {
  }
  return 0;
}
