// The requests of `jevons bench speculate`: four kinds of work, from those that repeat their prompt to those that do
// not.
#pragma once
#include <array>

namespace jevons {

struct BenchPrompts {
  const char* kind;
  std::array<const char*, 2> prompts;
};

inline constexpr std::array<BenchPrompts, 4> kBenchPrompts{{
    {"editing",
     {"Repeat the following text, but change every date to the year 1901. Write the whole text.\n\n"
      "The lighthouse on the northern cape was built in 1874 by a company of masons from the mainland. Its lamp burned "
      "colza oil until 1889, when the keeper, a patient man called Aldous Finch, asked for paraffin. The tower is "
      "thirty-one metres high and has one hundred and forty-two steps. In 1892 a storm broke the eastern windows, and "
      "for three nights the keeper stood in the rain and turned the lens by hand. The company paid him four pounds for "
      "it. He kept the light until 1899 and is buried in the small churchyard below the cape.",
      "Correct the spelling of this letter. Write the whole letter again.\n\n"
      "Dear Mrs Harrow,\nThank you for your leter of the third of May. We are glad to here that the new kitchen has "
      "arived and that the workmen were polite. The bill for the kitchen is enclosed. Please pay it befor the end of "
      "the month. The oven has a guarantee of two years, and the tap has a guarantee of five years. If the oven or the "
      "tap should fail, please call the number at the top of this leter, and a workman will come to your house on the "
      "next day. With kind regards from all of us at the kitchen shop."}},
    {"summarising",
     {"Summarise this text in three sentences.\n\n"
      "Peat forms where plants die faster than they can decay. In a raised bog the water table stands so high that "
      "hardly any oxygen reaches the dead moss, and the moss itself makes the water sour, which keeps most bacteria "
      "away. A metre of peat takes about a thousand years to grow. People have cut it for fuel since the Bronze Age; "
      "in "
      "the eighteenth century whole districts were drained by canals, and the canals carried the dried peat to the "
      "towns. Drained peat meets the air, decays after all, and gives back the carbon that it had kept for so long. "
      "Since the nineteen-eighties some of the canals have been closed with dams. The water rises, the moss returns, "
      "and after about ten years the bog takes up more carbon than it loses.",
      "Write a short summary of the meeting.\n\n"
      "The meeting of the library board began at seven. Mr Okafor reported that the roof of the reading room leaks in "
      "two places and that a builder has offered to mend it for eleven thousand pounds. Ms Lindqvist asked whether the "
      "roof could wait until spring. Mr Okafor said that it could not, because the leak is above the map collection. "
      "The board agreed to pay the builder from the reserve. Ms Lindqvist then reported that the evening courses have "
      "ninety-four members, twelve more than last year, and that the course on book binding is full. The board agreed "
      "to offer it twice. The next meeting is on the fourth of March."}},
    {"code",
     {"Write a Python class Stack with the methods push, pop, peek, is_empty and size, and a test for each method.",
      "Rename the variable `total` to `price_sum` in this function and write the whole function again.\n\n"
      "def invoice(items, tax_rate, discount):\n    total = 0\n    for item in items:\n        total += item.price * "
      "item.count\n    if discount is not None:\n        total -= total * discount\n    tax = total * tax_rate\n    "
      "total += tax\n    return {'total': total, 'tax': tax, 'items': len(items)}\n"}},
    {"free text",
     {"Tell a story about a clockmaker who finds a letter in an old clock.",
      "Explain to a child why the sea is salty and rivers are not."}},
}};

}  // namespace jevons
