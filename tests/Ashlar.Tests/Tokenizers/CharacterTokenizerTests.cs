using System.Text;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Tokenizers;

public class CharacterTokenizerTests
{
    [Fact]
    public void Tokens_AreNumberedByCodePoint()
    {
        var tokenizer = CharacterTokenizer.From("hello\n😀é");
        Assert.Equal(["\n", "e", "h", "l", "o", "é", "😀"], tokenizer.Characters.Select(character => character.ToString()));
        Assert.Equal([2, 1, 3, 3, 4], tokenizer.Encode("hello"));
        Assert.Equal([6, 5], tokenizer.Encode("😀é"));
    }

    [Fact]
    public void From_TakesPieces()
    {
        var whole = CharacterTokenizer.From("zażółć gęślą jaźń");
        var pieces = CharacterTokenizer.From(((string[])["zażółć", "", " gęślą jaźń"])
            .Select(piece => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(piece)));
        Assert.Equal(whole.Characters, pieces.Characters);
    }

    [Theory]
    [InlineData("ab\ncéd", "'é' (U+00E9)", "character 5", "line 2")]
    [InlineData("~", "'~' (U+007E)", "character 1 ", "line 1")]
    [InlineData("a\t", "U+0009", "character 2", "line 1")]
    [InlineData("a😀", "'😀' (U+1F600)", "character 2", "line 1")]
    public void Encode_NamesTheUnknownCharacterAndItsPlace(string text, params string[] says)
    {
        var error = Assert.Throws<TokenizerException>(() => CharacterTokenizer.From("abcd\n").Encode(text));
        Assert.Equal("ASH0440", error.Code);
        Assert.All(says, part => Assert.Contains(part, error.Message));
    }

    [Fact]
    public void From_RejectsTextWithoutCharacters()
    {
        Assert.Equal("ASH0444", Assert.Throws<TokenizerException>(() => CharacterTokenizer.From("")).Code);
        Assert.Equal("ASH0444", Assert.Throws<TokenizerException>(() => new CharacterTokenizer([new('a'), new('a')])).Code);
    }
}
