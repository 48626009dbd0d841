using System.Globalization;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>What characters are, as sets that are tested with one bit: a set has bit k where it holds the kind k.</summary>
/// <remarks>Kinds are the general categories of Unicode, and one more for controls that are white space.</remarks>
static class CharacterKinds
{
    const int SpaceControl = 30;

    /// <summary>Tab, line feed and other controls that are white space.</summary>
    public const uint SpaceControls = 1u << SpaceControl;

    public const uint Upper = 1u << (int)UnicodeCategory.UppercaseLetter, Lower = 1u << (int)UnicodeCategory.LowercaseLetter,
        Title = 1u << (int)UnicodeCategory.TitlecaseLetter, Modifier = 1u << (int)UnicodeCategory.ModifierLetter,
        OtherLetter = 1u << (int)UnicodeCategory.OtherLetter;
    public const uint Letters = Upper | Lower | Title | Modifier | OtherLetter;
    public const uint Marks = 1u << (int)UnicodeCategory.NonSpacingMark | 1u << (int)UnicodeCategory.SpacingCombiningMark
        | 1u << (int)UnicodeCategory.EnclosingMark;
    public const uint DecimalDigits = 1u << (int)UnicodeCategory.DecimalDigitNumber;
    public const uint Numbers = DecimalDigits | 1u << (int)UnicodeCategory.LetterNumber | 1u << (int)UnicodeCategory.OtherNumber;
    public const uint Spaces = 1u << (int)UnicodeCategory.SpaceSeparator | 1u << (int)UnicodeCategory.LineSeparator
        | 1u << (int)UnicodeCategory.ParagraphSeparator | 1u << SpaceControl;
    public const uint Punctuation = 1u << (int)UnicodeCategory.ConnectorPunctuation | 1u << (int)UnicodeCategory.DashPunctuation
        | 1u << (int)UnicodeCategory.OpenPunctuation | 1u << (int)UnicodeCategory.ClosePunctuation
        | 1u << (int)UnicodeCategory.InitialQuotePunctuation | 1u << (int)UnicodeCategory.FinalQuotePunctuation
        | 1u << (int)UnicodeCategory.OtherPunctuation;
    public const uint Symbols = 1u << (int)UnicodeCategory.MathSymbol | 1u << (int)UnicodeCategory.CurrencySymbol
        | 1u << (int)UnicodeCategory.ModifierSymbol | 1u << (int)UnicodeCategory.OtherSymbol;
    public const uint Others =
        1u << (int)UnicodeCategory.Control | 1u << (int)UnicodeCategory.Format | 1u << (int)UnicodeCategory.Surrogate
        | 1u << (int)UnicodeCategory.PrivateUse | 1u << (int)UnicodeCategory.OtherNotAssigned;

    /// <summary>What <c>\w</c> matches.</summary>
    public const uint Word = Letters | Marks | DecimalDigits | 1u << (int)UnicodeCategory.LetterNumber
        | 1u << (int)UnicodeCategory.ConnectorPunctuation;

    static readonly byte[] basic = Make();   // of the first 65536 characters

    /// <summary>The character at a place as a set of one kind; 0 behind the end. Bytes that are no UTF-8 count as
    /// U+FFFD.</summary>
    public static uint At(ReadOnlySpan<byte> utf8, int at, out int length)
    {
        if ((uint)at >= (uint)utf8.Length)
        {
            length = 0;
            return 0;
        }
        byte first = utf8[at];
        if (first < 128)
        {
            length = 1;
            return 1u << basic[first];
        }
        return Of(CharacterAt(utf8, at, out length));
    }

    /// <summary>The character at a place, which is before the end.</summary>
    public static int CharacterAt(ReadOnlySpan<byte> utf8, int at, out int length)
    {
        byte first = utf8[at];
        if (first < 128)
        {
            length = 1;
            return first;
        }
        Rune.DecodeFromUtf8(utf8[at..], out var rune, out length);
        return rune.Value;
    }

    /// <summary>A character as a set of one kind.</summary>
    public static uint Of(int character) =>
        character < 0x10000 ? 1u << basic[character] : 1u << (int)CharUnicodeInfo.GetUnicodeCategory(character);

    static byte[] Make()
    {
        byte[] made = new byte[0x10000];
        for (int i = 0; i < made.Length; i++)
            made[i] = i is >= 9 and <= 13 or 0x85 ? (byte)SpaceControl : (byte)CharUnicodeInfo.GetUnicodeCategory((char)i);
        return made;
    }
}
