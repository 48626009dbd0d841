namespace Ashlar;

/// <summary>A parsed einsum formula: a label per axis of each operand and of the result.</summary>
/// <param name="Operands">One list of labels per operand; ellipsis axes are numbered from the last, below 0.</param>
/// <param name="Result">The labels of the result.</param>
sealed record EinsumFormula(int[][] Operands, int[] Result)
{
    /// <summary>Parses <c>"b...ij, b...jk -> b...ik"</c> for operands of these shapes.</summary>
    public static EinsumFormula Parse(string formula, ReadOnlySpan<Tensor> operands)
    {
        string text = formula.Replace(" ", "", StringComparison.Ordinal);
        string[] sides = text.Split("->");
        if (sides.Length > 2) throw Bad(formula,
            "it has more than one arrow", "write the operands, one arrow and the result: \"ij,jk->ik\".");
        string[] terms = sides[0].Split(',');
        if (terms.Length != operands.Length)
            throw Bad(formula,
                $"it names {terms.Length} operands, but {operands.Length} were passed",
                "separate the operands' labels with commas, one group per tensor.");

        var labels = new int[terms.Length][];
        int dots = 0;
        for (int i = 0; i < terms.Length; i++)
        {
            labels[i] = Labels(formula, terms[i], operands[i].Rank, i);
            dots = Math.Max(dots, labels[i].Count(label => label < 0));
        }
        int[] result = sides.Length == 2 ? Explicit(formula, sides[1], labels, dots) : Implicit(labels, dots);
        Check(formula, labels, operands);
        return new(labels, result);
    }

    static int[] Labels(string formula, string term, int rank, int operand)
    {
        int at = term.IndexOf("...", StringComparison.Ordinal);
        string letters = at < 0 ? term : term.Remove(at, 3);
        foreach (char letter in letters)
            if (!char.IsAsciiLetter(letter)) throw Bad(formula,
                $"operand {operand} has the label '{letter}'", "use letters, and one ellipsis '...' per operand.");
        int open = rank - letters.Length;
        if (at < 0 ? open != 0 : open < 0)
            throw Bad(formula,
                $"operand {operand} has {rank} axes, but '{term}' names {letters.Length}",
                "write one letter per axis; '...' stands for any number of leading ones.");
        if (at < 0) return [.. letters.Select(letter => (int)letter)];
        return [.. Codes(letters[..at]), .. Enumerable.Range(-open, open), .. Codes(letters[at..])];
    }

    static int[] Explicit(string formula, string term, int[][] operands, int dots)
    {
        int at = term.IndexOf("...", StringComparison.Ordinal);
        string letters = at < 0 ? term : term.Remove(at, 3);
        var known = operands.SelectMany(labels => labels).ToHashSet();
        foreach (char letter in letters)
        {
            if (!known.Contains(letter)) throw Bad(formula,
                $"the result has the label '{letter}', which no operand has", "use labels of the operands alone.");
            if (letters.Count(other => other == letter) > 1) throw Bad(formula,
                $"the result has the label '{letter}' twice", "name each axis of the result once.");
        }
        if (at < 0)
            return dots == 0 ? [.. letters.Select(letter => (int)letter)]
                : throw Bad(formula,
                    "the operands have an ellipsis, but the result has none",
                    "write '...' in the result, or name those axes to sum over them.");
        return [.. Codes(letters[..at]), .. Enumerable.Range(-dots, dots), .. Codes(letters[at..])];
    }

    // Without an arrow: the ellipsis, then every label that occurs once, by letter.
    static int[] Implicit(int[][] operands, int dots) =>
        [.. Enumerable.Range(-dots, dots),
            .. from label in operands.SelectMany(labels => labels)
               where label > 0
               group label by label into same
               where same.Count() == 1
               orderby same.Key
               select same.Key];

    static IEnumerable<int> Codes(string letters) => letters.Select(letter => (int)letter);

    static void Check(string formula, int[][] labels, ReadOnlySpan<Tensor> operands)
    {
        var seen = new Dictionary<int, (Extent Extent, int Operand)>();
        for (int i = 0; i < labels.Length; i++)
            for (int axis = 0; axis < labels[i].Length; axis++)
            {
                var extent = operands[i].Shape[axis];
                if (!seen.TryGetValue(labels[i][axis], out var before) || before.Extent == 1) seen[labels[i][axis]] = (extent, i);
                else if (before.Extent != extent && extent != 1)
                    throw Bad(formula,
                        $"the label {Name(labels[i][axis])} is {before.Extent} long in operand {before.Operand}, {operands[before.Operand].Type}, "
                            + $"and {extent} in operand {i}, {operands[i].Type}",
                        "make the extents equal, or use different labels.");
            }
    }

    static string Name(int label) => label > 0 ? $"'{(char)label}'" : "of an ellipsis axis";

    static ShapeException Bad(string formula, string problem, string fix) => new("ASH0158",
        $"the einsum formula \"{formula}\" cannot be used: {problem}.", fix);

}
