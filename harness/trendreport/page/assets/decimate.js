// Fewer points than pixels, and none lost that matters.

/** Of `among` (indexes sorted by x) per pixel column the smallest and the largest value, and the worst rank. */
function decimate(among, column, value, rank = () => 0) {
  const kept = [];
  for (let i = 0; i < among.length; ) {
    const here = column(among[i]);
    let [low, high, worst] = Array(3).fill(among[i]);
    for (; i < among.length && column(among[i]) === here; i++) {
      const one = among[i];
      if (value[one] < value[low]) low = one;
      if (value[one] > value[high]) high = one;
      if (rank(one) < rank(worst)) worst = one;
    }
    kept.push(...[...new Set([low, high, worst])].sort((a, b) => a - b));
  }
  return kept;
}
