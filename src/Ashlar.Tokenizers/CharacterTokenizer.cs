using System.Text;
using System.Text.Unicode;

namespace Ashlar.Tokenizers;

/// <summary>One token per character (Unicode code point) of the text that it was made from; others are an error.</summary>
/// <remarks>Tokens are numbered by code point, as <c>sorted(set(text))</c> in Python numbers them.</remarks>
public sealed class CharacterTokenizer : Tokenizer
{
    readonly Rune[] characters;
    readonly byte[][] bytes;
    readonly Dictionary<Rune, int> tokens;
    readonly int[] ascii = new int[128];   // token + 1, so that 0 says that there is none

    /// <summary>A tokenizer of these characters, numbered in the order given.</summary>
    /// <param name="characters">No two are equal.</param>
    /// <exception cref="TokenizerException">A character comes twice, or there is none.</exception>
    public CharacterTokenizer(IEnumerable<Rune> characters)
    {
        this.characters = [.. characters];
        if (this.characters.Length == 0)
            throw new TokenizerException("ASH0444",
                "a character tokenizer needs at least one character, but was given none.",
                "make it from a text that is not empty.");
        tokens = new(this.characters.Length);
        foreach (var (token, character) in this.characters.Index())
        {
            if (!tokens.TryAdd(character, token))
                throw new TokenizerException("ASH0444",
                    $"the character {Show(character)} is given for the tokens {tokens[character]} and {token}.",
                    "give every character once.");
            if (character.IsAscii) ascii[character.Value] = token + 1;
        }
        bytes = Array.ConvertAll(this.characters, character =>
        {
            byte[] encoded = new byte[character.Utf8SequenceLength];
            character.EncodeToUtf8(encoded);
            return encoded;
        });
    }

    /// <inheritdoc/>
    public override string Kind => "character";

    /// <inheritdoc/>
    public override int VocabularySize => characters.Length;

    /// <summary>The character of each token.</summary>
    public IReadOnlyList<Rune> Characters => characters;

    /// <summary>A tokenizer of all characters of a text.</summary>
    /// <exception cref="TokenizerException">The text is empty.</exception>
    public static CharacterTokenizer From(string text) => new(text.EnumerateRunes().Distinct().Order());

    /// <summary>A tokenizer of all characters of a text that comes in pieces.</summary>
    /// <param name="pieces">UTF-8, cut between characters.</param>
    /// <exception cref="TokenizerException">The text is empty, or a piece is not UTF-8.</exception>
    public static CharacterTokenizer From(IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        ArgumentNullException.ThrowIfNull(pieces);
        var seen = new HashSet<Rune>();
        bool[] ascii = new bool[128];
        foreach (var piece in pieces)
        {
            if (!Utf8.IsValid(piece.Span))
                throw new TokenizerException("ASH0445",
                    "the text is not UTF-8.",
                    "read text files with TextFile, which names the place in the file.");
            for (var left = piece.Span; !left.IsEmpty;)
            {
                int length = 1;
                if (left[0] < 128) ascii[left[0]] = true;
                else
                {
                    Rune.DecodeFromUtf8(left, out var character, out length);
                    seen.Add(character);
                }
                left = left[length..];
            }
        }
        return new(seen.Concat(Enumerable.Range(0, 128).Where(value => ascii[value]).Select(value => new Rune(value))).Order());
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Bytes(int token) =>
        (uint)token < (uint)bytes.Length ? bytes[token] : throw NoSuchToken(token);

    /// <summary>The tokenizer as a <c>tokenizer.json</c>: a WordLevel model whose words are single characters.</summary>
    public override byte[] ToJson() => TokenizerJson.WriteCharacters(characters);

    private protected override void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> tokens, bool addSpecial, bool parseSpecial)
    {
        for (var left = utf8; !left.IsEmpty;)
        {
            int length = 1, token;
            if (left[0] < 128) token = ascii[left[0]] - 1;
            else
            {
                Rune.DecodeFromUtf8(left, out var character, out length);
                token = this.tokens.TryGetValue(character, out int known) ? known : -1;
            }
            if (token < 0) throw Unknown(utf8, utf8.Length - left.Length);
            tokens.Add(token);
            left = left[length..];
        }
    }

    TokenizerException Unknown(ReadOnlySpan<byte> utf8, int at)
    {
        Rune.DecodeFromUtf8(utf8[at..], out var character, out _);
        int before = 0, line = 1;
        foreach (var rune in Encoding.UTF8.GetString(utf8[..at]).EnumerateRunes())
        {
            before++;
            if (rune.Value == '\n') line++;
        }
        return new("ASH0440",
            $"the character {Show(character)} is not among the {characters.Length:N0} that this tokenizer was made from. "
            + $"It is character {before + 1:N0} of the text, in line {line:N0}.",
            $"leave it out, or train with bytes or BPE, which take every text. Known: {Sample()}");
    }

    string Sample() =>
        string.Concat(characters.Where(character => character.Value > ' ').Take(100)) + (characters.Length > 100 ? " ..." : "");

    static string Show(Rune character) =>
        Rune.IsControl(character) || Rune.IsWhiteSpace(character)
            ? $"U+{character.Value:X4}"
            : $"'{character}' (U+{character.Value:X4})";
}
