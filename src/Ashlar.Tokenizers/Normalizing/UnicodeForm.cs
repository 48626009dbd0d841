using System.Globalization;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>The normal forms of Unicode: NFC, NFD, NFKC, NFKD.</summary>
/// <remarks>
/// Ashlar runs without the culture data of the system, where .NET leaves text as it is; so the tables are here
/// (<c>Decompositions.txt</c>, Unicode 14: code point; combining class; decomposition, with <c>~</c> before a compatible one and
/// <c>!</c> before one that is not composed again). Unicode Standard Annex 15.
/// </remarks>
sealed class UnicodeForm(bool compatible, bool composes) : Normalizer
{
    const int SyllableBase = 0xac00, LeadBase = 0x1100, VowelBase = 0x1161, TailBase = 0x11a7;
    const int Vowels = 21, Tails = 28, Syllables = 19 * Vowels * Tails;

    static readonly Lazy<Tables> tables = new(Tables.Read);

    sealed record Tables(Dictionary<int, int[]> Canonical, Dictionary<int, int[]> Compatible, Dictionary<int, int> Classes,
        Dictionary<long, int> Compositions)
    {
        public static Tables Read()
        {
            var made = new Tables([], [], [], []);
            using var stream = typeof(UnicodeForm).Assembly.GetManifestResourceStream("Ashlar.Tokenizers.Decompositions.txt")!;
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                string[] parts = line.Split(';');
                int character = Hex(parts[0]);
                if (parts[1].Length > 0) made.Classes[character] = int.Parse(parts[1], CultureInfo.InvariantCulture);
                string decomposition = parts[2];
                if (decomposition.Length == 0) continue;
                int[] into = [.. decomposition.TrimStart('!', '~').Split(' ').Select(Hex)];
                (decomposition[0] == '~' ? made.Compatible : made.Canonical)[character] = into;
                if (decomposition[0] is not ('~' or '!') && into.Length == 2)
                    made.Compositions[(long)into[0] << 32 | (uint)into[1]] = character;
            }
            return made;
        }

        static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        if (Ascii.IsValid(utf8))
        {
            result.Add(utf8);
            return;
        }
        var known = tables.Value;
        var characters = new List<int>(utf8.Length);
        for (int at = 0, length; at < utf8.Length; at += length)
            Decompose(known, CharacterKinds.CharacterAt(utf8, at, out length), characters);
        Order(known, characters);
        if (composes) Compose(known, characters);
        foreach (int character in characters) result.Add(new Rune(character));
    }

    void Decompose(Tables known, int character, List<int> result)
    {
        if (character < 0xa0)
        {
            result.Add(character);
            return;
        }
        int syllable = character - SyllableBase;
        if ((uint)syllable < Syllables)
        {
            result.Add(LeadBase + syllable / (Vowels * Tails));
            result.Add(VowelBase + syllable % (Vowels * Tails) / Tails);
            if (syllable % Tails != 0) result.Add(TailBase + syllable % Tails);
            return;
        }
        if (known.Canonical.TryGetValue(character, out int[]? into) || compatible
            && known.Compatible.TryGetValue(character, out into))
            foreach (int part in into) Decompose(known, part, result);
        else result.Add(character);
    }

    // Marks behind a letter are ordered by class, those of one class stay as they are. Ended runs are sorted, not bubbled:
    // a hostile text has a million marks.
    static void Order(Tables known, List<int> characters)
    {
        for (int i = 0; i < characters.Count; i++)
        {
            if (!known.Classes.ContainsKey(characters[i])) continue;
            int end = i;
            while (end < characters.Count && known.Classes.ContainsKey(characters[end])) end++;
            if (end - i > 1)
            {
                int[] sorted = [.. characters.GetRange(i, end - i).OrderBy(mark => known.Classes[mark])];
                for (int k = 0; k < sorted.Length; k++) characters[i + k] = sorted[k];
            }
            i = end;
        }
    }

    static void Compose(Tables known, List<int> characters)
    {
        int kept = 0, starter = -1, lastClass = 0;
        foreach (int character in characters.ToArray())
        {
            int kind = known.Classes.GetValueOrDefault(character);
            bool isBlocked = starter >= 0 && kept - 1 > starter && lastClass >= kind;
            if (starter >= 0 && !isBlocked && Composed(known, characters[starter], character) is { } composed)
            {
                characters[starter] = composed;
                continue;
            }
            if (kind == 0) starter = kept;
            lastClass = kind;
            characters[kept++] = character;
        }
        characters.RemoveRange(kept, characters.Count - kept);
    }

    static int? Composed(Tables known, int first, int second)
    {
        int lead = first - LeadBase, vowel = second - VowelBase;
        if ((uint)lead < 19 && (uint)vowel < Vowels) return SyllableBase + (lead * Vowels + vowel) * Tails;
        int syllable = first - SyllableBase, tail = second - TailBase;
        if ((uint)syllable < Syllables && syllable % Tails == 0 && tail is > 0 and < Tails) return first + tail;
        return known.Compositions.TryGetValue((long)first << 32 | (uint)second, out int composed) ? composed : null;
    }
}
