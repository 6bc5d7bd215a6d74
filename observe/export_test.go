package observe

// HelpTexts are the texts that helpgen wrote.
var HelpTexts = helpTexts
