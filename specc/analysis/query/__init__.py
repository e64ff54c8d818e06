"""Questions to a network in SQL: its graph and its analyses as tables of an in-memory SQLite database."""

from specc.analysis.query.ask import Answer, ask, limit_memory
from specc.analysis.query.questions import QUESTIONS, Question
from specc.analysis.query.tables import TABLES, Column, Table

__all__ = ["QUESTIONS", "TABLES", "Answer", "Column", "Question", "Table", "ask", "limit_memory"]
