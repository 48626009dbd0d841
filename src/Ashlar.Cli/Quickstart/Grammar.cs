using System.Globalization;
using System.Text;

namespace Ashlar.Cli.Quickstart;

/// <summary>A sentence of a grammar and what it means.</summary>
/// <param name="English">The sentence.</param>
/// <param name="Meaning">Made by the same rules, beside it.</param>
/// <param name="Pattern">A hash of the ways taken below the first rule; other words of the same tables do not change it.</param>
/// <param name="TableWords">How many words come from tables.</param>
readonly record struct Sentence(string English, string Meaning, ulong Pattern, int TableWords);

/// <summary>Rows of words that belong together: a weekday in full, its plural, its number.</summary>
/// <param name="columns">What the words of a row are called, separated by blanks.</param>
/// <param name="rows">The words, one for each column.</param>
sealed class Table(string columns, IEnumerable<string[]> rows)
{
    readonly string[] names = columns.Split(' ');
    readonly string[][] rows = [.. rows];

    /// <summary>How many rows there are.</summary>
    public int Count => rows.Length;

    /// <summary>The place of a column.</summary>
    public int Column(string name) =>
        Array.IndexOf(names, name) is >= 0 and var at
            ? at
            : throw new KeyNotFoundException($"no column '{name}' among {columns}");

    /// <summary>A word.</summary>
    public string this[int row, int column] => rows[row][column];
}

/// <summary>Rules that produce sentences and, in step with them, what they mean: a synchronous grammar.</summary>
/// <remarks>
/// Each derivation yields both sides, so a pair is right by construction. The text form is described in schedules.grammar.
/// Source of the idea: Lewis and Stearns 1968, doi:10.1145/321466.321477 (syntax-directed transduction). Immutable; thread-safe.
/// </remarks>
sealed class Grammar
{
    readonly Dictionary<string, Rule> rules = [];
    readonly Rule start;

    /// <summary>Reads rules; the first one is where every derivation starts.</summary>
    /// <exception cref="FormatException">A line is not a rule, or names a rule, table or column that does not exist.</exception>
    public Grammar(string text, IReadOnlyDictionary<string, Table> tables)
    {
        Rule? rule = null;
        foreach (var (index, raw) in text.Split('\n').Index())
        {
            string line = raw.TrimEnd();
            if (line.Length == 0 || line[0] == '#') continue;
            if (line[^1] == ':' && line[0] != ' ')
            {
                rule = rules[line[..^1]] = new(line[..^1]);
                start ??= rule;
                continue;
            }
            try
            {
                if (rule is null) throw new FormatException("a way stands before the first rule");
                AddWays(rule, line.Trim(), tables);
            }
            catch (Exception problem) when (problem is FormatException or KeyNotFoundException)
            {
                throw new FormatException($"line {index + 1} of the grammar: {problem.Message}: {line.Trim()}");
            }
        }
        if (start is null) throw new FormatException("the grammar has no rules");
        foreach (var way in rules.Values.SelectMany(known => known.Ways))
            foreach (var piece in way.English.Where(piece => piece.Kind == PieceKind.Rule))
                if (!rules.ContainsKey(piece.Text))
                    throw new FormatException($"the grammar names the rule '{piece.Text}', which it does not have");
    }

    /// <summary>How many patterns there are: sentences that differ in more than words of tables.</summary>
    public double Patterns => CountPatterns(start.Name);

    /// <summary>How many ways a rule offers to say something, words of tables not counted.</summary>
    public double CountPatterns(string rule) => rules[rule].Ways.Sum(way => way.English
        .Where(piece => piece.Kind == PieceKind.Rule).Aggregate(1.0, (product, piece) => product * CountPatterns(piece.Text)));

    /// <summary>The names of all rules, the first one first.</summary>
    public IEnumerable<string> Rules => rules.Keys;

    /// <summary>Draws a sentence.</summary>
    public Sentence Draw(Dice dice)
    {
        var draw = new Drawing(this, dice);
        string meaning = draw.Say(start, depth: 0);
        return new(draw.English.ToString(), meaning, draw.Pattern, draw.TableWords);
    }

    void AddWays(Rule rule, string line, IReadOnlyDictionary<string, Table> tables)
    {
        int arrow = line.LastIndexOf("->", StringComparison.Ordinal), bracket = line.IndexOf(']', StringComparison.Ordinal);
        if (line[0] != '[' || bracket < 0 || arrow < 0) throw new FormatException("a way is '[weight] English -> meaning'");
        double weight = double.Parse(line[1..bracket], CultureInfo.InvariantCulture);
        string meaning = line[(arrow + 2)..].Trim();
        string english = line[(bracket + 1)..arrow].Trim();
        List<string> ways = Expand(english);
        foreach (string way in ways)
        {
            var said = Pieces(way, tables);
            var meant = Pieces(meaning, tables);
            foreach (var piece in meant.Where(piece => piece.Kind != PieceKind.Words))
                if (!said.Any(piece.IsGivenBy))
                    throw new FormatException($"the meaning uses {{{piece.Text}}}, which the sentence '{way}' does not");
            rule.Add(new(weight / ways.Count, said, meant));
        }
    }

    // "(a|b|) c" is "a c", "b c" and " c"; parentheses may lie within others.
    static List<string> Expand(string text)
    {
        int open = text.IndexOf('(', StringComparison.Ordinal);
        if (open < 0) return [text];
        var (choices, depth, from, at) = (new List<string>(), 1, open + 1, open + 1);
        for (; depth > 0; at++)
        {
            if (at == text.Length) throw new FormatException("a parenthesis is not closed");
            depth += text[at] == '(' ? 1 : text[at] == ')' ? -1 : 0;
            if (depth == 0 || (depth == 1 && text[at] == '|'))
            {
                choices.Add(text[from..at]);
                from = at + 1;
            }
        }
        var rest = Expand(text[at..]);
        return [.. choices.SelectMany(Expand).SelectMany(choice => rest.Select(tail => text[..open] + choice + tail))];
    }

    static Piece[] Pieces(string text, IReadOnlyDictionary<string, Table> tables)
    {
        var pieces = new List<Piece>();
        for (int at = 0; at < text.Length;)
        {
            int open = text.IndexOf('{', at);
            if (open < 0) open = text.Length;
            if (open > at) pieces.Add(new(PieceKind.Words, text[at..open], null, 0));
            if (open == text.Length) break;
            int close = text.IndexOf('}', open);
            string name = text[(open + 1)..close];
            if (name.Split('.') is [var table, var column])
                pieces.Add(new(PieceKind.Column, name, tables[table], tables[table].Column(column)));
            else pieces.Add(new(PieceKind.Rule, name, null, 0));
            at = close + 1;
        }
        return [.. pieces];
    }

    enum PieceKind
    {
        Words, Rule, Column,
    }

    readonly record struct Piece(PieceKind Kind, string Text, Table? Table, int Column)
    {
        /// <summary>True where this is known once the other was said: the same rule, or a row of the same table.</summary>
        public bool IsGivenBy(Piece other) =>
            other.Kind == Kind && (Kind == PieceKind.Rule ? other.Text == Text : other.Table == Table);
    }

    sealed record Way(double Weight, Piece[] English, Piece[] Meaning);

    sealed class Rule(string name)
    {
        readonly List<double> upTo = [];   // sums of weights

        public string Name => name;

        public List<Way> Ways { get; } = [];

        public void Add(Way way)
        {
            Ways.Add(way);
            upTo.Add(way.Weight + (upTo.Count == 0 ? 0 : upTo[^1]));
        }

        public int Choose(Dice dice)
        {
            double share = dice.NextUniform() * upTo[^1];
            int at = upTo.FindIndex(sum => sum > share);
            return at < 0 ? Ways.Count - 1 : at;
        }
    }

    sealed class Drawing(Grammar grammar, Dice dice)
    {
        public StringBuilder English { get; } = new();

        const ulong Prime = 1099511628211;   // of FNV-1a, as the number that Pattern begins with

        public ulong Pattern { get; private set; } = 14695981039346656037;

        public int TableWords { get; private set; }

        public string Say(Rule rule, int depth)
        {
            int chosen = rule.Choose(dice);
            var way = rule.Ways[chosen];
            // How polite a sentence is makes no other pattern.
            if (depth > 0 && rule.Name != "order")
                Pattern = (((Pattern ^ (uint)chosen) * Prime) ^ (uint)rule.Name.Length) * Prime;
            var (meanings, rows) = (new Dictionary<string, string>(), new Dictionary<Table, int>());
            foreach (var piece in way.English)
                switch (piece.Kind)
                {
                    case PieceKind.Words:
                        Append(piece.Text);
                        break;
                    case PieceKind.Column:
                        if (!rows.TryGetValue(piece.Table!, out int row))
                        {
                            rows[piece.Table!] = row = dice.Next(piece.Table!.Count);
                            TableWords++;
                        }
                        Append(piece.Table![row, piece.Column]);
                        break;
                    default:
                        meanings[piece.Text] = Say(grammar.rules[piece.Text], depth + 1);
                        break;
                }

            var meaning = new StringBuilder();
            foreach (var piece in way.Meaning)
                meaning.Append(piece.Kind switch
                {
                    PieceKind.Words => piece.Text,
                    PieceKind.Column => piece.Table![rows[piece.Table!], piece.Column],
                    _ => meanings[piece.Text],
                });
            return meaning.ToString();
        }

        // What says nothing leaves no second blank behind.
        void Append(string text)
        {
            if (text.Length == 0) return;
            bool blank = English.Length == 0 || English[^1] == ' ';
            English.Append(blank ? text.TrimStart(' ') : text);
        }
    }
}
