// run.html: what a run did, as one page that needs no network: curves of loss, bits per byte, learning rate, gradient
// norm and speed, expert load over time, samples, and the bill. Made from log.jsonl alone.
#pragma once
#include <filesystem>

#include "base/json.h"

namespace jevons {

// The page's numbers: {"facts", "steps": {column: [...]}, "evaluations", "load", "samples", "bill"}. Curves of more
// than 1,500 steps are averaged in equal groups.
Result<Json> summarise_run(const std::filesystem::path& log);

// What the same work would have cost in the V3 report: 2,664,000 H800 hours at 2 dollars for 14.8e12 tokens of
// 250e9 FLOPs (arXiv 2412.19437, table 1; arXiv 2505.09343, table 2).
double h800_dollars(double flops);

Status write_run_page(const std::filesystem::path& log, const std::filesystem::path& page);

// The run's curves as lines of text for a terminal, `columns` wide.
Result<std::string> plot_run(const std::filesystem::path& log, int columns);

}  // namespace jevons
